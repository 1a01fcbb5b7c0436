//! The published contract: every answer of every test is held against it, and its examples work.

use crate::client::Client;
use crate::protocol::ENDPOINTS;
use crate::schema;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi.json")).unwrap());

/// Whether a path such as `/v1/cards/C` is meant by `/v1/cards/{id}`.
fn is_meant(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let same =
        |(template, path): (&&str, &&str)| template == path || (*template == "{id}" && !path.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = CONTRACT["paths"].as_object().unwrap();
    let (_, operations) = paths.iter().find(|(template, _)| is_meant(template, path))?;
    operations.get(method.as_str().to_lowercase())
}

/// Panics when the contract does not describe this answer.
#[track_caller]
pub fn check_answer(method: &Method, path: &str, status: StatusCode, json: &Value) {
    let Some(operation) = operation(method, path) else {
        assert!(status.is_client_error(), "{method} {path} is not described and answers {status}");
        return;
    };
    let mut response = operation["responses"].get(status.as_str()).unwrap_or_else(|| {
        panic!("{method} {path}: answer {status} is not described: {json}");
    });
    if let Some(reference) = response.get("$ref") {
        response = schema::resolve(&CONTRACT, reference.as_str().unwrap());
    }
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let faults = schema::faults(&CONTRACT, &response["content"][kind]["schema"], json, "answer");
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:#?}");
}

#[test]
fn the_contract_describes_every_endpoint_and_no_other() {
    let paths = CONTRACT["paths"].as_object().unwrap();
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let served: BTreeSet<(String, String)> = ENDPOINTS
        .iter()
        .map(|(method, path)| {
            let template = paths.keys().find(|template| is_meant(template, path));
            (method.to_string(), template.unwrap_or_else(|| panic!("{path} is not described")).clone())
        })
        .collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn the_contract_is_served() {
    assert_eq!(Client::new().get("/v1/openapi.json").await.expect(200).json, *CONTRACT);
}

#[tokio::test]
async fn every_example_of_the_contract_fits_its_schema_and_works() {
    let client = Client::new();
    let example = |path: &str, method: &str| {
        let body = &CONTRACT["paths"][path][method]["requestBody"]["content"]["application/json"];
        let faults = schema::faults(&CONTRACT, &body["schema"], &body["example"], path);
        assert!(faults.is_empty(), "{faults:#?}");
        body["example"].to_string()
    };
    client.post("/v1/accounts", &example("/v1/accounts", "post")).await.expect(201);
    client.post("/v1/cards", &example("/v1/cards", "post")).await.expect(201);
    let mut tried = 2;
    for (path, operations) in CONTRACT["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation.get("requestBody").is_none()
                || ["/v1/accounts", "/v1/cards"].contains(&path.as_str())
            {
                continue;
            }
            let id = match path {
                path if path.starts_with("/v1/cards") => "card_1",
                path if path.starts_with("/v1/stand_in") => "default",
                _ => "acct_1",
            };
            let body = example(path, method);
            let method = method.to_uppercase().parse().unwrap();
            let answer = client.send(method, &path.replace("{id}", id), Some("example"), &body).await;
            assert!(answer.status.is_success(), "{path}: {answer:#?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 11, "every operation with a body has an example");
}
