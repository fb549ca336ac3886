//! A configuration file from anybody: any text is everything that is wrong with it, in words that are
//! safe for a terminal, or a configuration that is read back from what is shown of it.
#![no_main]

use std::ffi::OsString;
use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vauban_config::{Config, DEFAULT_PATH, Fault, Files, load, parse, show};

/// One file, where the configuration is, and no other.
struct One<'a>(&'a str);

impl Files for One<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        if path == Path::new(DEFAULT_PATH) {
            Ok(self.0.to_owned())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn names(&self, _: &Path) -> io::Result<Vec<OsString>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn harmless(text: &str) {
    let odd = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(odd, None, "{text:?}");
}

fn shown(config: &Config) {
    let text = show(config);
    harmless(&text);
    assert_eq!(parse(&text, "shown").as_ref(), Ok(config), "{text}");
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match load(&One(text), None) {
        Ok(loaded) => {
            assert_eq!(loaded.file.as_deref(), Some(Path::new(DEFAULT_PATH)));
            shown(&loaded.config);
        }
        Err(failure) => {
            harmless(&failure.to_string());
            assert!(!failure.faults.is_empty(), "an error that says nothing");
            for fault in &failure.faults {
                let Fault::Wrong(diagnostic) = fault else { panic!("{failure}") };
                let lines = text.lines().count() + 1;
                assert!((1..=lines).contains(&diagnostic.line), "{diagnostic:?}");
                assert!(!diagnostic.message.is_empty() && !diagnostic.remedy.is_empty());
            }
        }
    }
});
