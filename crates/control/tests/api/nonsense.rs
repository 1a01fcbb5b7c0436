//! Whatever a client sends, it gets an answer that blames the right side, and the answer holds no card data.

use crate::client::{Client, EXPIRY, PAN};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The fields that requests know, so that random bodies come close to real ones.
const FIELDS: [&str; 20] = [
    "id",
    "asset",
    "code",
    "decimals",
    "limits",
    "window",
    "zone",
    "amount_max",
    "count_max",
    "amount",
    "units",
    "number",
    "account",
    "currency",
    "expiry",
    "funding",
    "status",
    "controls",
    "allowed",
    "mcc",
];

const ENDPOINTS: [(&str, &str); 10] = [
    ("POST", "/v1/accounts"),
    ("POST", "/v1/accounts/A/credits"),
    ("POST", "/v1/accounts/A/debits"),
    ("PUT", "/v1/accounts/A/limits"),
    ("POST", "/v1/cards"),
    ("PUT", "/v1/cards/C/status"),
    ("PUT", "/v1/cards/C/controls"),
    ("PUT", "/v1/cards/C/limits"),
    ("PUT", "/v1/rates"),
    ("POST", "/v1/cards/C/freeze"),
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just(PAN), Just(EXPIRY), Just("USD"), Just("12.50"), Just("day"), Just("A")]
            .prop_map(Value::from),
        Just(json!(4_242_424_242_424_242_u64)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof![
            proptest::sample::select(&FIELDS[..]).prop_map(str::to_owned),
            Just(PAN.to_owned()),
            ".{0,6}",
        ];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A product that names an account after a card number is shown that name; that is not what is tried here.
fn without_card_data_as_name(mut body: Value) -> Value {
    if let Some(id) = body.get_mut("id").filter(|id| **id == PAN || **id == EXPIRY) {
        *id = json!("A");
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nonsense_is_never_our_failure_and_never_comes_back_as_card_data(
        body in any_json(), endpoint in 0..ENDPOINTS.len(), broken in 0_usize..30,
    ) {
        let (method, path) = ENDPOINTS[endpoint];
        let body = without_card_data_as_name(body);
        let mut text = body.to_string();
        if broken == 0 {
            text.pop();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let status = runtime.block_on(async {
            let client = Client::with_card().await;
            client.send(method.parse().unwrap(), path, Some("key"), &text).await.status
        });
        prop_assert!(!status.is_server_error(), "{method} {path} {text}: {status}");
    }
}
