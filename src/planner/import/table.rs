//! Text as a table: lines of cells, wherever they come from. It does not know what a cell means.

use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;

use super::Refused;

/// What parts cells, with its name.
const SEPARATORS: [(u8, &str); 4] =
    [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];

/// How much of a text is looked at to find out what parts its cells.
const SAMPLE: usize = 16 * 1024;

/// The most columns.
const COLUMNS: usize = 200;

/// How much is taken in; the memory that a table needs is bounded by it.
#[derive(Debug, Clone, Copy)]
struct Most {
    rows: usize,
    cells: usize,
}

const MOST: Most = Most { rows: 1_000_000, cells: 20_000_000 };

impl Most {
    fn allows(self, rows: usize, cells: usize) -> Result<(), Refused> {
        if rows > self.rows {
            return Err(Refused::TooMany { most: self.rows, what: "rows" });
        }
        if cells > self.cells {
            return Err(Refused::TooMany { most: self.cells, what: "cells" });
        }
        Ok(())
    }
}

/// Cells in lines.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it is: `CSV with semicolons`.
    pub form: String,
    /// Semicolons part its cells: where they do, commas mostly part fractions.
    pub semicolons: bool,
    /// Its lines, each with its number from 1.
    pub lines: Vec<(u64, StringRecord)>,
}

/// Text in UTF-8 or UTF-16, without the mark at its beginning.
pub fn text(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

impl Table {
    /// The table that a text is.
    pub fn of(text: &str) -> Result<Self, Refused> {
        let table = match text.trim_start().as_bytes().first() {
            Some(b'[') => json(text)?,
            Some(b'{') => objects(text)?,
            _ => separated(text, MOST)?,
        };
        if table.lines.is_empty() { Err(Refused::Empty) } else { Ok(table) }
    }
}

/// What parts cells so that most lines have the same number of them, and more than one.
fn separator(text: &str) -> (u8, &'static str) {
    let mut end = text.len().min(SAMPLE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // The last line may be cut off.
    let sample = if end < text.len() {
        text[..end].rsplit_once('\n').map_or(&text[..end], |(most, _)| most)
    } else {
        text
    };
    let fitness = |separator: u8| {
        let widths: Vec<usize> = reader(sample, separator)
            .records()
            .filter_map(Result::ok)
            .map(|record| record.len())
            .collect();
        let same = |width: usize| widths.iter().filter(|w| **w == width).count();
        widths.iter().filter(|w| **w > 1).map(|w| (same(*w), *w)).max().unwrap_or((0, 0))
    };
    SEPARATORS
        .iter()
        .rev()
        .max_by_key(|(separator, _)| fitness(*separator))
        .copied()
        .unwrap_or(SEPARATORS[0])
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
}

fn separated(text: &str, most: Most) -> Result<Table, Refused> {
    // Excel writes what parts the cells into a first line of its own.
    let named = text
        .strip_prefix("sep=")
        .and_then(|rest| rest.bytes().next())
        .and_then(|b| SEPARATORS.iter().find(|(s, _)| *s == b).copied());
    let (by, name) = named.unwrap_or_else(|| separator(text));
    let mut lines = Vec::new();
    let mut cells = 0;
    for (n, record) in reader(text, by).records().enumerate() {
        // It was text before: what is left to fail is nothing.
        let Ok(record) = record else { continue };
        let line = record.position().map_or(n as u64 + 1, csv::Position::line);
        if (named.is_some() && line == 1) || record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if record.len() > COLUMNS {
            return Err(Refused::TooWide { line, most: COLUMNS });
        }
        cells += record.len();
        most.allows(lines.len() + 1, cells)?;
        lines.push((line, record));
    }
    Ok(Table { form: format!("CSV with {name}"), semicolons: by == b';', lines })
}

fn json(text: &str) -> Result<Table, Refused> {
    let value: Value = serde_json::from_str(text).map_err(|e| Refused::NotTable(said(&e)))?;
    let items = match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    from_items(items, "JSON")
}

/// One object with a list in it, or one object on each line.
fn objects(text: &str) -> Result<Table, Refused> {
    if let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(text) {
        let list = object.values_mut().find_map(|value| match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                Some(std::mem::take(items))
            }
            _ => None,
        });
        return from_items(list.unwrap_or_else(|| vec![Value::Object(object)]), "JSON");
    }
    let items = serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        // One more than is allowed is refused below.
        .take(MOST.rows + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Refused::NotTable(said(&e)))?;
    from_items(items, "JSON Lines")
}

fn said(error: &serde_json::Error) -> String {
    crate::base::text::short(&error.to_string(), 120)
}

fn from_items(items: Vec<Value>, form: &str) -> Result<Table, Refused> {
    let mut heads: Vec<String> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for item in &items {
        let Value::Object(object) = item else {
            return Err(Refused::NotTable("something in it is no object".into()));
        };
        for key in object.keys() {
            if !places.contains_key(key.as_str()) {
                places.insert(key.clone(), heads.len());
                heads.push(key.clone());
            }
        }
        if heads.len() > COLUMNS {
            return Err(Refused::NotTable(format!("it has more than {COLUMNS} keys")));
        }
    }
    // Each row has a cell for each key, also where the item does not name it.
    MOST.allows(items.len(), items.len().saturating_mul(heads.len()))?;
    let mut lines = vec![(0, StringRecord::from(heads.clone()))];
    for (n, item) in items.iter().enumerate() {
        let mut cells = vec![String::new(); heads.len()];
        for (key, value) in item.as_object().into_iter().flatten() {
            if let Some(cell) = places.get(key).and_then(|i| cells.get_mut(*i)) {
                *cell = match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
            }
        }
        lines.push((n as u64 + 1, StringRecord::from(cells)));
    }
    Ok(Table { form: form.to_owned(), semicolons: false, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_rows_or_cells_than_fit_are_refused() {
        let most = Most { rows: 3, cells: 8 };
        let refused = |text: &str| separated(text, most).unwrap_err().to_string();
        assert_eq!(separated("a,b\n1,2\n\n3,4\n", most).unwrap().lines.len(), 3);
        assert!(refused("a,b\n1,2\n3,4\n5,6\n").contains("more than 3 rows"));
        assert!(refused("a,b\n1,2,3,4\n5,6,7\n").contains("more than 8 cells"));
        assert!(MOST.allows(1_000_000, 20_000_000).is_ok());
        assert!(MOST.allows(1_000_001, 1).is_err());
        // Small items, and a cell for each key in each of them.
        let keys: Vec<String> = (0..199).map(|n| format!("\"k{n}\":1")).collect();
        let text = format!("[{{{}}}{}]", keys.join(","), ",{}".repeat(101_000));
        let why = Table::of(&text).unwrap_err().to_string();
        assert!(why.contains("more than 20000000 cells"), "{why}");
    }

    #[test]
    fn more_columns_than_a_table_has_are_refused_in_csv_as_in_json() {
        let wide = |columns: usize| format!("at,viewers\n{}\n", vec!["start"; columns].join(","));
        assert!(Table::of(&wide(200)).is_ok());
        let why = Table::of(&wide(201)).unwrap_err().to_string();
        assert!(why.contains("line 2") && why.contains("200 columns"), "{why}");
        let keys: Vec<String> = (0..201).map(|n| format!("\"k{n}\":1")).collect();
        assert!(Table::of(&format!("[{{{}}}]", keys.join(","))).is_err());
    }
}
