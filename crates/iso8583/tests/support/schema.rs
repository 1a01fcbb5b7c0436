//! As much of JSON Schema (2020-12) as the dialects' schema uses; a keyword that is not known here fails.

use serde_json::Value as Json;

/// A schema file.
pub(crate) struct Schema {
    root: Json,
}

impl Schema {
    pub(crate) fn new(text: &str) -> Self {
        Self { root: serde_json::from_str(text).unwrap() }
    }

    /// What is wrong with `value`, one line each; empty if nothing is.
    pub(crate) fn faults(&self, value: &Json) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(&self.root, value, "", &mut faults);
        faults
    }

    /// The definition with this name.
    pub(crate) fn definition(&self, name: &str) -> &Json {
        &self.root["$defs"][name]
    }

    pub(crate) fn root(&self) -> &Json {
        &self.root
    }

    fn check(&self, schema: &Json, value: &Json, at: &str, faults: &mut Vec<String>) {
        for (keyword, rule) in schema.as_object().unwrap() {
            let fault = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "properties" => None,
                "$ref" => {
                    let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    self.check(self.definition(name), value, at, faults);
                    None
                }
                "type" => (!has_type(value, rule.as_str().unwrap())).then(|| format!("is no {rule}")),
                "enum" => (!rule.as_array().unwrap().contains(value))
                    .then(|| format!("{value} is not one of {rule}")),
                "oneOf" => self.one_of(rule, value, at),
                "required" => missing(rule, value),
                "minimum" => value
                    .as_u64()
                    .filter(|n| *n < rule.as_u64().unwrap())
                    .map(|n| format!("{n} is below {rule}")),
                "maximum" => value
                    .as_u64()
                    .filter(|n| *n > rule.as_u64().unwrap())
                    .map(|n| format!("{n} is above {rule}")),
                "minItems" => value
                    .as_array()
                    .filter(|items| (items.len() as u64) < rule.as_u64().unwrap())
                    .map(|_| "has too few items".to_owned()),
                "pattern" => value
                    .as_str()
                    .filter(|text| !matches(rule, text))
                    .map(|text| format!("{text} is not {rule}")),
                "propertyNames" => {
                    let mut names = value.as_object().into_iter().flat_map(|table| table.keys());
                    let wrong = names.find(|name| !matches(&rule["pattern"], name));
                    wrong.map(|name| format!("key {name} is not {}", rule["pattern"]))
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{at}[{index}]"), faults);
                    }
                    None
                }
                "additionalProperties" => {
                    self.properties(schema, rule, value, at, faults);
                    None
                }
                other => panic!("{other} is not known to this reader"),
            };
            faults.extend(fault.map(|fault| format!("{at}: {fault}")));
        }
    }

    fn properties(&self, schema: &Json, others: &Json, value: &Json, at: &str, faults: &mut Vec<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            match (schema["properties"].get(name), others) {
                (Some(schema), _) => self.check(schema, value, &at, faults),
                (None, Json::Bool(false)) => faults.push(format!("{at}: unknown key")),
                (None, others) => self.check(others, value, &at, faults),
            }
        }
    }

    fn one_of(&self, rule: &Json, value: &Json, at: &str) -> Option<String> {
        let tries = rule.as_array().unwrap().iter().map(|schema| {
            let mut faults = Vec::new();
            self.check(schema, value, at, &mut faults);
            faults
        });
        let tries: Vec<_> = tries.collect();
        let fit = tries.iter().filter(|faults| faults.is_empty()).count();
        (fit != 1).then(|| format!("fits {fit} of its forms: {}", tries.concat().join("; ")))
    }
}

fn has_type(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{other} is no type known to this reader"),
    }
}

fn missing(required: &Json, value: &Json) -> Option<String> {
    let table = value.as_object()?;
    let mut names = required.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    names.find(|name| !table.contains_key(*name)).map(|name| format!("{name} is missing"))
}

/// Patterns of so many digits, which is all that the schema has.
fn matches(pattern: &Json, text: &str) -> bool {
    let counts = match pattern.as_str().unwrap() {
        "^[0-9]{1,3}$" => 1..=3,
        "^[0-9]{2}$" => 2..=2,
        "^[0-9]{4}$" => 4..=4,
        other => panic!("{other} is no pattern known to this reader"),
    };
    counts.contains(&text.len()) && text.bytes().all(|character| character.is_ascii_digit())
}
