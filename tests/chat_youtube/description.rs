//! YouTube's own description of its API, as google-api-python-client ships it: what a request may hold, and which form an
//! answer has. A property that it does not know is an error, like a value of another type.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

pub struct Description(Value);

/// A method, as far as it is checked.
pub struct Method<'a> {
    pub id: &'a str,
    http: &'a str,
    path: &'a str,
    whole: &'a Value,
}

impl Description {
    /// `script/setup --dev` puts it beside what cargo builds.
    pub fn read() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let path = target.join("youtube/youtube.v3.json");
        let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let read: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            (&read["name"], &read["version"]),
            (&Value::from("youtube"), &Value::from("v3"))
        );
        Self(read)
    }

    /// The values that a property of a schema may have.
    pub fn values(&self, schema: &str, property: &str) -> Vec<&str> {
        let values = &self.0["schemas"][schema]["properties"][property]["enum"];
        values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
    }

    /// What is wrong with a value that should have the form of this schema.
    pub fn wrong(&self, schema: &str, value: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.walk(&serde_json::json!({ "$ref": schema }), value, schema, &mut wrong);
        let kind = &self.0["schemas"][schema]["properties"]["kind"]["default"];
        if kind.is_string() && value["kind"] != *kind {
            wrong.push(format!("{schema}: its kind is {}", value["kind"]));
        }
        wrong
    }

    fn walk(&self, form: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let form = match form["$ref"].as_str() {
            Some(name) => &self.0["schemas"][name],
            None => form,
        };
        let kind = form["type"].as_str().unwrap_or("a schema that is missing");
        let fits = match (kind, form["format"].as_str()) {
            ("object", _) => value.is_object(),
            ("array", _) => value.is_array(),
            ("boolean", _) => value.is_boolean(),
            ("integer", Some("uint32")) => value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()),
            ("integer", Some("int32")) => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            ("number", _) => value.is_number(),
            // 64 bits are a string.
            ("string", Some("uint64")) => value.as_str().is_some_and(|n| n.parse::<u64>().is_ok()),
            ("string", Some("int64")) => value.as_str().is_some_and(|n| n.parse::<i64>().is_ok()),
            ("string", Some("date-time")) => {
                value.as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok())
            }
            ("string", Some("google-duration")) => {
                let seconds = value.as_str().and_then(|t| t.strip_suffix('s'));
                seconds.is_some_and(|n| n.parse::<f64>().is_ok())
            }
            ("string", None) => value.is_string(),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{at}: {value} is no {kind} {}", form["format"]));
            return;
        }
        if let Some(values) = form["enum"].as_array()
            && !values.contains(value)
        {
            wrong.push(format!("{at}: {value} is none of {values:?}"));
        }
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            self.walk(&form["items"], item, &format!("{at}[{n}]"), wrong);
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            match form["properties"].get(key) {
                Some(form) => self.walk(form, value, &format!("{at}.{key}"), wrong),
                None => wrong.push(format!("{at} has no property {key}")),
            }
        }
    }

    /// All methods.
    pub fn methods(&self) -> Vec<Method<'_>> {
        let mut all = Vec::new();
        methods(&self.0, &mut all);
        all
    }

    /// The method that a request calls.
    pub fn method(&self, http: &str, path: &str) -> Option<Method<'_>> {
        let path = path.trim_start_matches('/');
        self.methods().into_iter().find(|method| method.http == http && method.path == path)
    }
}

fn methods<'a>(of: &'a Value, all: &mut Vec<Method<'a>>) {
    for whole in of["methods"].as_object().into_iter().flat_map(|methods| methods.values()) {
        let of = |key: &str| whole[key].as_str().unwrap_or_default();
        all.push(Method { id: of("id"), http: of("httpMethod"), path: of("path"), whole });
    }
    for resource in of["resources"].as_object().into_iter().flat_map(|all| all.values()) {
        methods(resource, all);
    }
}

impl Method<'_> {
    /// What is wrong with a request to it.
    pub fn wrong(
        &self,
        description: &Description,
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = self.whole["parameters"].as_object().unwrap();
        for (name, value) in query {
            let Some(form) = known.get(name) else {
                wrong.push(format!("{} has no parameter {name}", self.id));
                continue;
            };
            let number = value.parse::<i64>().ok();
            let bound = |key: &str| form[key].as_str().and_then(|n| n.parse::<i64>().ok());
            let fits = match form["type"].as_str() {
                Some("integer") => number.is_some_and(|n| {
                    bound("minimum").is_none_or(|least| least <= n)
                        && bound("maximum").is_none_or(|most| n <= most)
                }),
                Some("boolean") => value == "true" || value == "false",
                _ => form["enum"]
                    .as_array()
                    .is_none_or(|all| all.contains(&Value::from(value.as_str()))),
            };
            if !fits {
                wrong.push(format!("{}: {name}={value} does not fit", self.id));
            }
            // "Supported values are `id`, `snippet`, ...", "Set the parameter value to snippet".
            let words = form["description"].as_str().unwrap_or_default();
            let named = ["Supported values are ", "Set the parameter value to "];
            let named = named.iter().find_map(|mark| words.split_once(mark));
            for part in value.split(',').filter(|_| name == "part") {
                if named.is_some_and(|(_, parts)| !parts.contains(part)) {
                    wrong.push(format!("{}: it has no part {part}", self.id));
                }
            }
        }
        for (name, form) in known {
            if form["required"] == true && !query.contains_key(name) {
                wrong.push(format!("{} needs the parameter {name}", self.id));
            }
        }
        match self.whole["request"]["$ref"].as_str() {
            // What is sent has no kind yet.
            Some(schema) => {
                let schema = serde_json::json!({ "$ref": schema });
                description.walk(&schema, body, self.id, &mut wrong);
            }
            None if !body.is_null() => wrong.push(format!("{} takes no body", self.id)),
            None => {}
        }
        wrong
    }

    /// The schema of its answer.
    pub fn answers(&self) -> Option<&str> {
        self.whole["response"]["$ref"].as_str()
    }

    /// Units of quota, where its description names them.
    pub fn units(&self) -> Option<u64> {
        let words = self.whole["description"].as_str()?;
        words.split_once("quota cost of ")?.1.split(' ').next()?.parse().ok()
    }

    /// Whether a token with this scope may call it.
    pub fn allows(&self, scope: &str) -> bool {
        self.whole["scopes"].as_array().is_some_and(|all| all.contains(&Value::from(scope)))
    }
}
