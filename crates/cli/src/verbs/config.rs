//! `vauban config`.

use std::path::Path;

use serde_json::{Map, Value, json};
use vauban_config::{Disk, Loaded, Origin, Setting};

use super::check::wrong;
use crate::ask::{print, print_json};
use crate::exit::Trouble;

/// Prints the configuration that holds, or every key at its default.
pub fn run(json: bool, config: Option<&Path>, default: bool) -> Result<(), Trouble> {
    if default {
        return print(&vauban_config::example());
    }
    match vauban_config::load(&Disk, config) {
        Ok(loaded) if json => print_json(&view(&loaded)),
        Ok(loaded) => print(&vauban_config::effective(&loaded.settings)),
        Err(failure) if json => {
            print_json(&wrong(&failure))?;
            Err(Trouble::ConfigSaid)
        }
        Err(failure) => {
            eprintln!("{failure}");
            Err(Trouble::ConfigSaid)
        }
    }
}

fn view(loaded: &Loaded) -> Value {
    let key = |setting: &Setting| {
        let (file, line) = match &setting.origin {
            Origin::Files(places) => places.last().map(|(file, line)| (file, line)).unzip(),
            Origin::Default | Origin::Other(_) => (None, None),
        };
        json!({
            "key": setting.path(),
            "value": value(&setting.value),
            "origin": setting.origin.to_string(),
            "file": file,
            "line": line,
        })
    };
    json!({
        "files": loaded.files().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "keys": loaded.settings.iter().map(key).collect::<Vec<_>>(),
    })
}

fn value(of: &vauban_config::Value) -> Value {
    use vauban_config::Value as Of;
    match of {
        Of::Switch(on) => json!(on),
        Of::Number(number) => json!(number),
        Of::Text(text) => json!(text),
        Of::List(items) => items.iter().map(value).collect(),
        Of::Table(entries) => {
            let entries = entries.iter().map(|(name, of)| ((*name).to_owned(), value(of)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
