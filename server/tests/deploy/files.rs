//! The files that are held to the binary.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file's text, by its path from the root.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file, with what they merge from elsewhere in it.
pub fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let read = serde_norway::Deserializer::from_str(&text).map(|document| {
        let mut value = serde_norway::Value::deserialize(document)?;
        // Once for each level of what is merged into what is merged.
        value.apply_merge()?;
        value.apply_merge()?;
        Ok(serde_json::to_value(value).unwrap())
    });
    let read: Result<Vec<Value>, serde_norway::Error> = read.collect();
    read.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The only document of a YAML file.
pub fn document(path: &str) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path} has one document");
    documents.remove(0)
}

/// Every file that describes how the binary is deployed, and the guides, as paths from the root.
pub fn all() -> Vec<String> {
    let mut found = vec!["Dockerfile".to_owned(), "compose.yaml".to_owned()];
    for folder in ["deploy", "docs/how-to"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        // What deploy/secrets.sh made on this machine belongs to nobody else.
        if path.ends_with("deploy/secrets") {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// The services of `compose.yaml`, by name.
pub fn compose_services() -> Vec<(String, Value)> {
    let services = document("compose.yaml")["services"].as_object().unwrap().clone();
    services.into_iter().collect()
}

/// The documents of one kind in Kubernetes' base.
pub fn kubernetes(kind: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for file in ["services.yaml", "migrate.yaml", "proxy.yaml", "network.yaml"] {
        found.extend(documents(&format!("deploy/kubernetes/base/{file}")));
    }
    found.retain(|document| document["kind"] == kind);
    assert!(!found.is_empty(), "there is a {kind}");
    found
}

/// The strings of a list; none if there is no list.
pub fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// A string or a number, as text.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
