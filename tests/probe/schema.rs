//! Holds a JSON document to a JSON Schema, as far as schemars writes them: types, properties, required ones, items,
//! references, alternatives and enumerations.

use serde_json::Value;

/// Panics at the first place that does not fit, and at a property that the schema does not know.
#[track_caller]
pub fn assert_fits(document: &Value, schema: &Value) {
    if let Err(why) = fits(document, schema, schema, "$") {
        panic!("{why}\n{document:#}");
    }
}

fn fits(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a reference within the schema");
        let target = root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return fits(value, target, root, at);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[word].as_array()
            && !choices.iter().any(|choice| fits(value, choice, root, at).is_ok())
        {
            return Err(format!("{at}: {value} is none of {choices:?}"));
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{at}: {value} is not {constant}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is none of {words:?}"));
    }
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: the type {other} is not known here"),
    };
    let allowed = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !allowed {
        return Err(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return Err(format!("{at}: {number} is below {least}"));
    }
    if let Some(object) = value.as_object()
        && schema["properties"].is_object()
    {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if !object.contains_key(name) {
                return Err(format!("{at}: '{name}' is missing"));
            }
        }
        for (name, inner) in object {
            let known = schema["properties"].get(name);
            let known = known.ok_or_else(|| format!("{at}: '{name}' is not in the schema"))?;
            fits(inner, known, root, &format!("{at}.{name}"))?;
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        fits(inner, &schema["items"], root, &format!("{at}[{index}]"))?;
    }
    Ok(())
}

#[test]
fn it_can_say_no() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"], "minimum": 0}, "b": {"$ref": "#/x"}},
        "x": {"enum": ["y"]},
    });
    let no = |value: Value| fits(&value, &schema, &schema, "$").unwrap_err();
    assert_fits(&serde_json::json!({"a": 1, "b": "y"}), &schema);
    assert!(no(serde_json::json!({"b": "y"})).contains("missing"));
    assert!(no(serde_json::json!({"a": -1})).contains("below"));
    assert!(no(serde_json::json!({"a": "1"})).contains("no [\"integer\""));
    assert!(no(serde_json::json!({"a": null, "b": "z"})).contains("none of"));
    assert!(no(serde_json::json!({"a": 1, "c": 1})).contains("not in the schema"));
}
