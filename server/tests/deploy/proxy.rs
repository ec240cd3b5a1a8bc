//! Every route of the API leads to the service that has it, and nothing else leads anywhere.

use serde_json::Value;

use crate::files;

/// The target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goes {
    To(String),
    /// The proxy answers with this status.
    Answered(String),
}

#[derive(Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
    /// The parts between slashes; `None` is any but an empty one.
    Parts(Vec<Option<String>>),
}

/// The locations of the proxy's configuration.
fn locations() -> Vec<(Pattern, Goes)> {
    let text = files::text("deploy/nginx/nginx.conf");
    let code: Vec<&str> = text.lines().map(|line| line.split(" #").next().unwrap().trim()).collect();
    let code: Vec<&str> = code.into_iter().filter(|line| !line.starts_with('#')).collect();
    let code = code.join("\n");
    let blocks = code.split("\nlocation ").skip(1).filter(|block| !block.starts_with('@'));
    blocks
        .map(|block| location(block).unwrap_or_else(|| panic!("a location that this test can't read: {block}")))
        .collect()
}

fn location(block: &str) -> Option<(Pattern, Goes)> {
    let (head, body) = block.split_once('{')?;
    let body = body.split_once('}')?.0;
    let words: Vec<&str> = head.split_whitespace().collect();
    let pattern = match words[..] {
        ["=", path] => Pattern::Exact(path.to_owned()),
        ["~", regex] => parts(regex)?,
        [path] if path.starts_with('/') => Pattern::Prefix(path.to_owned()),
        _ => return None,
    };
    let mut statements = body.split(';').map(str::trim);
    let goes = statements.find_map(|statement| match statement.split_once(char::is_whitespace)? {
        ("proxy_pass", target) => Some(Goes::To(target.trim().strip_prefix('$')?.to_owned())),
        ("return", answer) => Some(Goes::Answered(answer.split_whitespace().next()?.to_owned())),
        _ => None,
    })?;
    Some((pattern, goes))
}

fn parts(regex: &str) -> Option<Pattern> {
    // A class of characters has a slash in it, which is none between parts.
    let regex = regex.strip_prefix("^/")?.strip_suffix('$')?.replace("[^/]+", "*");
    let plain = regex.chars().all(|c| c.is_ascii_alphanumeric() || "/-*".contains(c));
    let parts = regex.split('/').map(|part| (part != "*").then(|| part.to_owned()));
    plain.then(|| Pattern::Parts(parts.collect()))
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path.starts_with(prefix),
            Self::Parts(parts) => {
                let found: Vec<&str> = path.trim_start_matches('/').split('/').collect();
                found.len() == parts.len()
                    && parts.iter().zip(found).all(|(part, found)| match part {
                        Some(part) => part == found,
                        None => !found.is_empty(),
                    })
            }
        }
    }
}

/// As nginx decides: what is exact, then the first expression, then the longest prefix.
fn goes(locations: &[(Pattern, Goes)], path: &str) -> Goes {
    let matching = || locations.iter().filter(|(pattern, _)| pattern.matches(path));
    let exact = matching().find(|(pattern, _)| matches!(pattern, Pattern::Exact(_)));
    let parts = || matching().find(|(pattern, _)| matches!(pattern, Pattern::Parts(_)));
    let prefix =
        || matching().max_by_key(|(pattern, _)| if let Pattern::Prefix(prefix) = pattern { prefix.len() } else { 0 });
    exact.or_else(parts).or_else(prefix).unwrap().1.clone()
}

#[test]
fn every_route_leads_to_the_service_that_has_it() {
    let locations = locations();
    let api: Value = serde_json::from_str(&files::text("docs/openapi.json")).unwrap();
    let paths = api["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, operations) in paths {
        let request: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "1001" } else { part }).collect();
        let request = request.join("/");
        for operation in operations.as_object().unwrap().values() {
            let expected = match (operation["tags"][0].as_str().unwrap(), path.as_str()) {
                // Scraped from each process, never through here.
                ("process", "/metrics") => Goes::Answered("404".to_owned()),
                ("process", "/healthz") => Goes::Answered("200".to_owned()),
                ("process", _) => Goes::To("console".to_owned()),
                (service, _) => Goes::To(service.to_owned()),
            };
            assert_eq!(goes(&locations, &request), expected, "{path}");
        }
    }
}

#[test]
fn the_web_pages_are_the_consoles() {
    let locations = locations();
    for path in ["/ui", "/ui/", "/ui/orders/1001", "/ui/session", "/ui/api/v1/orders", "/ui/api/v1/flow/live"] {
        assert_eq!(goes(&locations, path), Goes::To("console".to_owned()), "{path}");
    }
}

#[test]
fn what_is_between_the_processes_is_closed() {
    let locations = locations();
    for path in ["/", "/metrics", "/internal", "/internal/operator", "/internal/operator/held", "/internal/settled/x"] {
        assert_eq!(goes(&locations, path), Goes::Answered("404".to_owned()), "{path}");
    }
}
