//! The contract for people: one page of HTML, rendered from the published file, that loads nothing from anywhere.

use serde_json::Value;
use std::fmt::Write as _;

/// The published contract: OpenAPI 3.1, JSON.
pub const OPENAPI: &str = include_str!("../../openapi.json");

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#1a1a1a;background:#fff}h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-top:1px solid #ddd;\
    padding-top:1rem}code,pre{font:14px/1.45 ui-monospace,monospace;background:#f5f5f5}pre{padding:.75rem;\
    overflow-x:auto}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;\
    padding:.3rem .6rem .3rem 0;border-bottom:1px solid #eee}.must{color:#a33}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code,pre{background:#242424}\
    td,th,h2{border-color:#333}}";

/// The page. Empty parts are left out, so a contract that cannot be read makes an empty page and no panic.
#[must_use]
pub fn page() -> String {
    let contract: Value = serde_json::from_str(OPENAPI).unwrap_or_default();
    let mut page = String::with_capacity(64 * 1024);
    let info = &contract["info"];
    let title = escaped(text(&info["title"]));
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <h1>{title}</h1><p>{}</p><p>For machines: <a href=\"/openapi/balance-service.json\">OpenAPI 3.1</a>.</p>",
        escaped(text(&info["description"]))
    );
    for (path, operations) in members(&contract["paths"]) {
        for (method, operation) in members(operations) {
            write_operation(&mut page, &contract, method, path, operation);
        }
    }
    page.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&contract["components"]["schemas"]) {
        let _ = write!(page, "<h3 id=\"{0}\">{0}</h3>", escaped(name));
        write_schema(&mut page, schema);
    }
    page.push_str("</body></html>\n");
    page
}

fn write_operation(page: &mut String, contract: &Value, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        page,
        "<h2 id=\"{}\"><code>{} {}</code></h2><p><strong>{}</strong></p>",
        escaped(text(&operation["operationId"])),
        method.to_uppercase(),
        escaped(path),
        escaped(text(&operation["summary"])),
    );
    write_paragraph(page, text(&operation["description"]));
    write_content(page, contract, "Request", &operation["requestBody"]["content"]["application/json"]);
    for (status, response) in members(&operation["responses"]) {
        let response = resolved(contract, response);
        let heading = format!("Status {status}: {}", text(&response["description"]));
        if response["content"].is_object() {
            write_content(page, contract, &heading, &response["content"]["application/json"]);
        } else {
            write_paragraph(page, &heading);
        }
    }
}

fn write_content(page: &mut String, contract: &Value, heading: &str, content: &Value) {
    let _ = write!(page, "<p>{}: {}</p>", escaped(heading), kind(&content["schema"]));
    for (_, example) in members(&content["examples"]) {
        let example = resolved(contract, example);
        write_paragraph(page, text(&example["summary"]));
        let shown = serde_json::to_string_pretty(&example["value"]).unwrap_or_default();
        let _ = write!(page, "<pre>{}</pre>", escaped(&shown));
    }
}

fn write_schema(page: &mut String, schema: &Value) {
    write_paragraph(page, text(&schema["description"]));
    let Some(properties) = schema["properties"].as_object() else {
        let _ = write!(page, "<p>{}</p>", kind(schema));
        return;
    };
    page.push_str("<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>");
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name))
    };
    for (name, property) in properties {
        let must = if required(name) { "" } else { " <em>optional</em>" };
        let _ = write!(
            page,
            "<tr><td><code>{}</code>{must}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            kind(property),
            escaped(text(&property["description"])),
        );
    }
    page.push_str("</table>");
}

/// What a schema allows, in a few words; another schema as a link.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| format!("<code>{}</code>", escaped(text(word))));
        return words.collect::<Vec<_>>().join(", ");
    }
    let mut kind = escaped(text(&schema["type"]));
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = write!(kind, " <code>{}</code>", escaped(pattern));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let names =
            properties.iter().map(|(name, property)| format!("{}: {}", escaped(name), self::kind(property)));
        let _ = write!(kind, " {{ {} }}", names.collect::<Vec<_>>().join(", "));
    }
    kind
}

fn write_paragraph(page: &mut String, words: &str) {
    if !words.is_empty() {
        let _ = write!(page, "<p>{}</p>", escaped(words));
    }
}

/// The members of an object in the order of their names; nothing, for anything else.
fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

/// What a reference stands for; anything else stands for itself.
fn resolved<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    pointer.and_then(|pointer| contract.pointer(pointer)).unwrap_or(value)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_path_schema_and_example_and_loads_nothing() {
        let (contract, page): (Value, _) = (serde_json::from_str(OPENAPI).unwrap(), page());
        for (path, _) in members(&contract["paths"]) {
            assert!(page.contains(&format!("POST {path}</code>")), "{path}");
        }
        for (name, _) in members(&contract["components"]["schemas"]) {
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(page.contains("&quot;remaining_ms&quot;: 1800"), "the example of an ask");
        for loads in ["<script", "<link", "src=", "@import", "url("] {
            assert!(!page.contains(loads), "{loads}");
        }
    }

    #[test]
    fn what_the_contract_says_is_text_and_never_markup() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
