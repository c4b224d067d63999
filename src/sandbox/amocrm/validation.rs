//! Shapes of what may be written, and the `validation-errors` answer (reference 2.3, 7a).
//!
//! A body is first held against a [`Shape`]; then each noun looks whether what is named exists. All complaints are gathered,
//! and one complaint refuses the whole request.

use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask};

/// The most items of one request (2.5).
pub(super) const MOST_ITEMS: usize = 250;

/// What a value must be. `null` fits nothing.
pub(super) enum Shape {
    Int,
    Text,
    /// Text with something in it.
    Filled,
    Bool,
    IntOrText,
    /// Number, text or bool: values of custom fields, whose type the field decides.
    Scalar,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer between the two, both included.
    Between(i64, i64),
    List(&'static Self),
    /// A list of so many at most.
    Few(usize, &'static Self),
    /// An object with fields of these groups and no other.
    Object(&'static [&'static [Field]]),
    /// An object that is looked at elsewhere.
    AnyObject,
}

/// A key of an object.
pub(super) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

/// A key that may be left out.
pub(super) const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

/// A key that must be there.
pub(super) const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

/// What is wrong with one item of a request.
#[derive(Debug, Default)]
pub(super) struct Complaints(Vec<(&'static str, String, String)>);

impl Complaints {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn missing(&mut self, path: impl Into<String>) {
        self.add("FieldMissing", path, "This field is missing.");
    }

    pub(super) fn choice(&mut self, path: impl Into<String>) {
        self.add("NotSupportedChoice", path, "The value you selected is not a valid choice.");
    }

    pub(super) fn unexpected(&mut self, path: impl Into<String>) {
        self.add("FieldNotExpected", path, "This field was not expected.");
    }

    pub(super) fn blank(&mut self, path: impl Into<String>) {
        self.add("NotBlank", path, "This value should not be blank.");
    }

    pub(super) fn mistyped(&mut self, path: impl Into<String>, right: &str) {
        self.add("InvalidType", path, format!("This value should be of type {right}."));
    }

    pub(super) fn too_many(&mut self, path: impl Into<String>, most: usize) {
        let detail = format!("This collection should contain {most} elements or less.");
        self.add("TooManyElements", path, detail);
    }

    pub(super) fn add(&mut self, code: &'static str, path: impl Into<String>, detail: impl Into<String>) {
        self.0.push((code, path.into(), detail.into()));
    }

    /// Holds a value against a shape.
    pub(super) fn check(&mut self, value: &Value, shape: &Shape, path: &str) {
        if value.is_null() {
            return self.add("NotNullable", path, "This value should not be null.");
        }
        match shape {
            Shape::Int => self.fits(value.as_i64().is_some(), path, "int"),
            Shape::AnyObject => self.fits(value.is_object(), path, "object"),
            Shape::Text => self.fits(value.is_string(), path, "string"),
            Shape::Filled => match value.as_str() {
                None => self.mistyped(path, "string"),
                Some(text) if text.trim().is_empty() => self.blank(path),
                Some(_) => {}
            },
            Shape::Word(words) => match value.as_str() {
                None => self.mistyped(path, "string"),
                Some(text) if words.contains(&text) => {}
                Some(_) => self.choice(path),
            },
            Shape::Bool => self.fits(value.is_boolean(), path, "bool"),
            Shape::IntOrText => self.fits(value.as_i64().is_some() || value.is_string(), path, "int|string"),
            Shape::Scalar => self.fits(!value.is_object() && !value.is_array(), path, "scalar"),
            Shape::Between(least, most) => match value.as_i64() {
                None => self.mistyped(path, "int"),
                Some(number) if (*least..=*most).contains(&number) => {}
                Some(_) => self.choice(path),
            },
            Shape::List(item) => self.check_list(value, item, usize::MAX, path),
            Shape::Few(most, item) => self.check_list(value, item, *most, path),
            Shape::Object(groups) => self.check_object(value, groups, path),
        }
    }

    fn fits(&mut self, fits: bool, path: &str, right: &str) {
        if !fits {
            self.mistyped(path, right);
        }
    }

    fn check_list(&mut self, value: &Value, shape: &Shape, most: usize, path: &str) {
        let Some(items) = value.as_array() else { return self.mistyped(path, "array") };
        if items.len() > most {
            self.too_many(path, most);
        }
        for (at, item) in items.iter().enumerate() {
            self.check(item, shape, &below(path, &at.to_string()));
        }
    }

    fn check_object(&mut self, value: &Value, groups: &[&[Field]], path: &str) {
        let Some(object) = value.as_object() else { return self.mistyped(path, "object") };
        let fields = || groups.iter().flat_map(|group| group.iter());
        for field in fields().filter(|field| field.required && !object.contains_key(field.name)) {
            self.missing(below(path, field.name));
        }
        for (name, value) in object {
            match fields().find(|field| field.name == name) {
                Some(field) => self.check(value, &field.shape, &below(path, name)),
                None => self.unexpected(below(path, name)),
            }
        }
    }
}

/// A dotted path, one step down.
pub(super) fn below(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

/// The items of a write, with what is wrong with each.
pub(super) struct Batch {
    pub(super) items: Vec<(Value, Complaints)>,
}

impl Batch {
    /// The body as a list of this shape, 1 to 250 items.
    pub(super) fn read(ask: &Ask, shape: &Shape) -> Result<Self, Answer> {
        Self::read_most(ask, shape, MOST_ITEMS)
    }

    /// The body as a list of this shape with its own upper limit.
    pub(super) fn read_most(ask: &Ask, shape: &Shape, most: usize) -> Result<Self, Answer> {
        let items = match ask.json()? {
            Value::Array(items) if items.is_empty() => return Err(Answer::empty_request()),
            Value::Array(items) if items.len() > most => return Err(Answer::too_many_items(most)),
            Value::Array(items) => items,
            Value::Object(object) if object.is_empty() => return Err(Answer::empty_request()),
            _ => {
                let mut complaints = Complaints::default();
                complaints.mistyped("", "array");
                return Err(refusal([("0".to_owned(), &complaints)]));
            }
        };
        Ok(Self::of(items, shape))
    }

    /// The body as one object of this shape.
    pub(super) fn read_single(ask: &Ask, shape: &Shape) -> Result<Self, Answer> {
        match ask.json()? {
            Value::Object(object) if object.is_empty() => Err(Answer::empty_request()),
            Value::Array(items) if items.is_empty() => Err(Answer::empty_request()),
            item => Ok(Self::of(vec![item], shape)),
        }
    }

    fn of(items: Vec<Value>, shape: &Shape) -> Self {
        let held = items.into_iter().map(|item| {
            let mut complaints = Complaints::default();
            complaints.check(&item, shape, "");
            (item, complaints)
        });
        Self { items: held.collect() }
    }

    /// Looks at each item again.
    #[must_use]
    pub(super) fn each(mut self, mut look: impl FnMut(&Value, &mut Complaints)) -> Self {
        for (item, complaints) in &mut self.items {
            look(item, complaints);
        }
        self
    }

    /// The items, when nothing is wrong with any; one bad item refuses all (2.3).
    pub(super) fn finish(self) -> Result<Vec<Value>, Answer> {
        let bad: Vec<(String, &Complaints)> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, (_, complaints))| !complaints.0.is_empty())
            .map(|(at, (item, complaints))| (request_id(item, at), complaints))
            .collect();
        if !bad.is_empty() {
            return Err(refusal(bad));
        }
        Ok(self.items.into_iter().map(|(item, _)| item).collect())
    }
}

/// The sender's mark of an item, or its place as text (3).
pub(super) fn request_id(item: &Value, at: usize) -> String {
    item["request_id"].as_str().map_or_else(|| at.to_string(), str::to_owned)
}

fn refusal<'a>(bad: impl IntoIterator<Item = (String, &'a Complaints)>) -> Answer {
    let errors: Vec<Value> = bad
        .into_iter()
        .map(|(request_id, Complaints(complaints))| {
            let errors: Vec<Value> = complaints
                .iter()
                .map(|(code, path, detail)| json!({"code": code, "path": path, "detail": detail}))
                .collect();
            json!({"request_id": request_id, "errors": errors})
        })
        .collect();
    Answer::problem_of(
        400,
        json!({
            "validation-errors": errors,
            "title": "Bad Request",
            "type": "https://httpstatus.es/400",
            "status": 400,
            "detail": "Request validation failed",
        }),
    )
}
