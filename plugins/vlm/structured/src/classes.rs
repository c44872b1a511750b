//! Which values of an answer a JSON schema lists, and what they are called as classes: pure.
//!
//! Names of classes are kept by the process for ever. So all that there can ever be are read from
//! the schema, and an answer only chooses among them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Places in a schema where values may be listed. One with more has the rest left out.
const MAX_PLACES: usize = 4096;

/// What a schema lists at one place of an answer, and below it. Lists in the answer are no level
/// of their own.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    values: Vec<Value>,
    fields: BTreeMap<String, Listed>,
}

impl Listed {
    /// Reads `enum` and `const`, wherever `properties`, `items`, `anyOf`, `$ref` and their like
    /// lead within this schema.
    pub(crate) fn new(schema: &Value) -> Self {
        let mut listed = Self::default();
        let mut reader = Reader { root: schema, references: Vec::new(), places: 0 };
        reader.read(schema, &mut listed);
        listed
    }

    /// `path=value` of each value in an answer that is listed, once and in the answer's order:
    /// `door=open`, `car.doors=4`. `null` says nothing.
    pub(crate) fn classes(&self, answer: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.find(answer, "", &mut found);
        found
    }

    fn find(&self, answer: &Value, path: &str, found: &mut Vec<String>) {
        match answer {
            Value::Array(items) => items.iter().for_each(|item| self.find(item, path, found)),
            Value::Object(object) => {
                for (name, value) in object {
                    if let Some(listed) = self.fields.get(name) {
                        let dot = if path.is_empty() { "" } else { "." };
                        listed.find(value, &format!("{path}{dot}{name}"), found);
                    }
                }
            }
            value => {
                let listed = self.values.iter().find(|listed| is_same(listed, value));
                let Some(value) = listed.and_then(shown) else { return };
                // An answer that is no object is the field `value`.
                let path = if path.is_empty() { "value" } else { path };
                // A name ends at a NUL.
                let class = format!("{path}={value}").replace('\0', "\u{fffd}");
                if !found.contains(&class) {
                    found.push(class);
                }
            }
        }
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// As JSON Schema compares: 1 and 1.0 are the same number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one != other => {
            let is_whole = one.is_f64() == other.is_f64();
            !is_whole && one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

/// Walks through a schema.
struct Reader<'a> {
    root: &'a Value,
    /// Those that are being followed: what leads back to itself is followed once.
    references: Vec<&'a str>,
    places: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, schema: &'a Value, listed: &mut Listed) {
        let Value::Object(schema) = schema else { return };
        self.places += 1;
        if self.places > MAX_PLACES {
            return;
        }
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("enum", Value::Array(values)) => listed.values.extend(values.iter().cloned()),
                ("const", value) => listed.values.push(value.clone()),
                ("properties", Value::Object(properties)) => {
                    for (name, schema) in properties {
                        self.read(schema, listed.fields.entry(name.clone()).or_default());
                    }
                }
                ("items" | "prefixItems" | "allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    schemas.iter().for_each(|schema| self.read(schema, listed));
                }
                ("items" | "additionalItems" | "if" | "then" | "else", schema) => {
                    self.read(schema, listed);
                }
                ("$ref", Value::String(reference)) => self.follow(reference, listed),
                _ => {}
            }
        }
    }

    /// Of references only those within the schema are known, written as JSON pointers.
    fn follow(&mut self, reference: &'a str, listed: &mut Listed) {
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(target) = target.filter(|_| !self.references.contains(&reference)) else { return };
        self.references.push(reference);
        self.read(target, listed);
        self.references.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_the_schema_lists_are_classes_and_no_others() {
        let listed = Listed::new(&json!({"properties": {
            "door": {"enum": ["open", "shut"]}, "who": {"type": "string"}, "is": {"const": "home"}
        }}));
        let answer = json!({"door": "shut", "who": "Ann", "is": "home", "invented": "open"});
        assert_eq!(listed.classes(&answer), ["door=shut", "is=home"]);
        assert!(listed.classes(&json!({"door": "ajar"})).is_empty());
    }

    #[test]
    fn numbers_and_truths_are_classes_as_the_schema_writes_them() {
        let listed = Listed::new(&json!({"properties": {
            "stars": {"enum": [1, 2, 2.5]}, "lit": {"enum": [true, null]}
        }}));
        assert_eq!(listed.classes(&json!({"stars": 2.0, "lit": true})), ["lit=true", "stars=2"]);
        assert_eq!(listed.classes(&json!({"stars": 2.5, "lit": null})), ["stars=2.5"]);
        assert!(listed.classes(&json!({"stars": "2", "lit": false})).is_empty());
        // As floating-point numbers they would be the same.
        let far = Listed::new(&json!({"properties": {"n": {"enum": [9_007_199_254_740_993u64]}}}));
        assert!(far.classes(&json!({"n": 9_007_199_254_740_992u64})).is_empty());
    }

    #[test]
    fn what_is_nested_has_its_path() {
        let listed = Listed::new(&json!({"properties": {"car": {"properties": {
            "colour": {"enum": ["red", "blue"]},
            "wheel": {"properties": {"side": {"enum": ["left", "right"]}}}
        }}}}));
        let answer = json!({"car": {"colour": "red", "wheel": {"side": "left"}}});
        assert_eq!(listed.classes(&answer), ["car.colour=red", "car.wheel.side=left"]);
    }

    #[test]
    fn each_value_in_a_list_is_a_class_once() {
        let listed = Listed::new(&json!({"properties": {
            "seen": {"items": {"enum": ["cat", "dog", "cow"]}},
            "boxes": {"items": {"properties": {"of": {"enum": ["wood", "tin"]}}}},
            "pair": {"prefixItems": [{"enum": ["a"]}, {"enum": [1]}]}
        }}));
        let answer = json!({
            "seen": ["dog", "cat", "dog"],
            "boxes": [{"of": "tin"}, {"of": "wood"}, {}],
            "pair": ["a", 1]
        });
        assert_eq!(
            listed.classes(&answer),
            ["boxes.of=tin", "boxes.of=wood", "pair=a", "pair=1", "seen=dog", "seen=cat"]
        );
    }

    #[test]
    fn an_answer_that_is_no_object_is_a_value() {
        assert_eq!(
            Listed::new(&json!({"enum": ["yes", "no"]})).classes(&json!("no")),
            ["value=no"]
        );
    }

    /// As libraries write the types of a programming language.
    #[test]
    fn references_and_alternatives_are_followed() {
        let listed = Listed::new(&json!({
            "$defs": {"Sky/~": {"enum": ["clear", "grey"]}},
            "properties": {
                "sky": {"anyOf": [{"$ref": "#/$defs/Sky~1~0"}, {"type": "null"}]},
                "elsewhere": {"$ref": "https://example.com/schema"}
            },
            "allOf": [{"properties": {"sky": {"enum": ["grey"]}, "sea": {"enum": ["calm"]}}}]
        }));
        let answer = json!({"sky": "grey", "sea": "calm", "elsewhere": "grey"});
        assert_eq!(listed.classes(&answer), ["sea=calm", "sky=grey"]);
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_is_followed_once() {
        let listed = Listed::new(&json!({
            "$defs": {"node": {"properties": {
                "kind": {"enum": ["leaf"]}, "below": {"items": {"$ref": "#/$defs/node"}}
            }}},
            "$ref": "#/$defs/node"
        }));
        let answer = json!({"kind": "leaf", "below": [{"kind": "leaf", "below": []}]});
        assert_eq!(listed.classes(&answer), ["kind=leaf"]);
    }

    /// Each definition refers to the next twice.
    #[test]
    fn a_schema_with_more_places_than_any_has_is_read_in_no_time() {
        let definitions = (0..100).map(|n| {
            let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
            (n.to_string(), json!({"properties": {"a": next, "b": next}}))
        });
        let definitions: serde_json::Map<_, _> = definitions.collect();
        let listed = Listed::new(&json!({
            "$defs": definitions, "$ref": "#/$defs/0", "properties": {"c": {"enum": ["d"]}}
        }));
        assert!(listed.classes(&json!({"c": "e"})).is_empty());
    }

    #[test]
    fn a_zero_byte_does_not_end_a_name() {
        let listed = Listed::new(&json!({"properties": {"a": {"enum": ["b\0c"]}}}));
        assert_eq!(listed.classes(&json!({"a": "b\0c"})), ["a=b\u{fffd}c"]);
    }
}
