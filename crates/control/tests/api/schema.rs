//! The part of JSON Schema that the contract uses, to hold requests and answers against it.

use serde_json::Value;

/// What is wrong with `value`, one line a fault; a keyword that is not known here is a fault too.
pub fn faults(contract: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        found.extend(keyword_faults(contract, schema, (keyword, rule), value, at));
    }
    found
}

fn keyword_faults(
    contract: &Value,
    schema: &Value,
    (keyword, rule): (&str, &Value),
    value: &Value,
    at: &str,
) -> Vec<String> {
    let fault =
        |wrong: bool| if wrong { vec![format!("{at}: {value} breaks {keyword} {rule}")] } else { vec![] };
    let bound = |length: Option<u64>, wrong: fn(u64, u64) -> bool| {
        fault(length.is_some_and(|length| wrong(length, rule.as_u64().unwrap())))
    };
    let length = value.as_str().map(|text| u64::try_from(text.len()).unwrap());
    match keyword {
        "description" | "default" | "example" | "format" => Vec::new(),
        "$ref" => faults(contract, resolve(contract, rule.as_str().unwrap()), value, at),
        "type" => {
            let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
            fault(!types.iter().any(|name| is_a(name.as_str().unwrap(), value)))
        }
        "enum" => fault(!rule.as_array().unwrap().contains(value)),
        "pattern" => fault(value.as_str().is_some_and(|text| !matches(rule.as_str().unwrap(), text))),
        "minLength" => bound(length, |length, min| length < min),
        "maxLength" => bound(length, |length, max| length > max),
        "maxItems" => {
            bound(value.as_array().map(|list| u64::try_from(list.len()).unwrap()), |length, max| length > max)
        }
        "minimum" => fault(value.as_i64().is_some_and(|number| number < rule.as_i64().unwrap())),
        "maximum" => fault(value.as_i64().is_some_and(|number| number > rule.as_i64().unwrap())),
        "oneOf" => {
            let fitting =
                rule.as_array().unwrap().iter().filter(|one| faults(contract, one, value, at).is_empty());
            fault(fitting.count() != 1)
        }
        "items" => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items.flat_map(|(index, item)| faults(contract, rule, item, &format!("{at}[{index}]"))).collect()
        }
        "properties" => {
            let known = value
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, field)| Some((name, field, rule.get(name)?)));
            known
                .flat_map(|(name, field, rule)| faults(contract, rule, field, &format!("{at}.{name}")))
                .collect()
        }
        "required" => {
            let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            let missing = names.filter(|name| value.is_object() && value.get(name).is_none());
            missing.map(|name| format!("{at}.{name} is missing")).collect()
        }
        "additionalProperties" => {
            let known = |name: &String| schema["properties"].get(name).is_some();
            let unknown = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
            unknown.map(|(name, _)| format!("{at}.{name} is not described")).collect()
        }
        other => vec![format!("{at}: keyword {other} is not understood by this test")],
    }
}

/// What a reference such as `#/components/schemas/Card` stands for.
pub fn resolve<'a>(contract: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference.strip_prefix('#').unwrap();
    contract.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

/// The few patterns that the contract has.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match pattern {
        "^-?[0-9]+$" => digits(unsigned),
        "^-?[0-9]+([.][0-9]+)?$" => {
            let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
            digits(whole) && digits(fraction)
        }
        "^-?(0|[1-9][0-9]*)$" => digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0')),
        "^(0|[1-9][0-9]*)$" => digits(text) && (text == "0" || !text.starts_with('0')),
        "^[0-9]+([.][0-9]+)?$" => !text.starts_with('-') && matches("^-?[0-9]+([.][0-9]+)?$", text),
        "^[A-Z]{3}$" => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        "^[0-9]{3}$" => text.len() == 3 && digits(text),
        "^[0-9]{6}$" => text.len() == 6 && digits(text),
        "^[0-9]{10}$" => text.len() == 10 && digits(text),
        "^[0-9]{4}$" => text.len() == 4 && digits(text),
        "^[0-9]{12,19}$" => (12..=19).contains(&text.len()) && digits(text),
        "^20[0-9]{2}-(0[1-9]|1[0-2])$" => domain::Expiry::parse(text).is_ok(),
        "^tx-[0-9]{3}-[0-9a-f]{16}$" => domain::TransactionId::parse(text).is_some(),
        other => panic!("pattern {other}"),
    }
}
