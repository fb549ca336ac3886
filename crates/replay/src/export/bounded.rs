//! A bound on what a reader of JSON may be made to hold, kept while the text goes by: how long a string
//! is, and how many objects there are. A reader holds both before it can ask whether it wants them.

use std::io::{self, Read};

/// Bytes of a string at most. The longest one of an export is what a contact said, in hexadecimal: some
/// four thousand.
const MOST_STRING: usize = 16 * 1024;

/// Text that passes through.
pub struct Bounded<R> {
    inner: R,
    /// Objects that may still begin.
    objects: usize,
    /// Bytes of the string that the text is in; `None` outside of one.
    string: Option<usize>,
    /// Whether the next byte of the string is escaped.
    escaped: bool,
}

impl<R> Bounded<R> {
    /// With this many objects at most.
    pub fn new(inner: R, objects: usize) -> Self {
        Self { inner, objects, string: None, escaped: false }
    }

    fn see(&mut self, byte: u8) -> Result<(), &'static str> {
        let Some(length) = &mut self.string else {
            match byte {
                b'"' => self.string = Some(0),
                b'{' => {
                    self.objects =
                        self.objects.checked_sub(1).ok_or("more packets than are read")?;
                }
                _ => {}
            }
            return Ok(());
        };
        *length += 1;
        if *length > MOST_STRING {
            return Err("a text that is too long");
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.string = None,
            _ => {}
        }
        Ok(())
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        for byte in buffer.get(..count).unwrap_or_default() {
            self.see(*byte).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, objects: usize) -> Result<String, String> {
        let mut read = String::new();
        let outcome = Bounded::new(text.as_bytes(), objects).read_to_string(&mut read);
        outcome.map(|_| read).map_err(|error| error.to_string())
    }

    #[test]
    fn strings_and_objects_are_bounded() {
        let text = r#"[{"a": "{\"{{\\"}, {}]"#;
        assert_eq!(read(text, 2).unwrap(), text);
        assert_eq!(read(text, 1).unwrap_err(), "more packets than are read");
        let long = |length| format!("\"{}\"", "x".repeat(length));
        assert!(read(&long(MOST_STRING - 1), 0).is_ok());
        assert_eq!(read(&long(MOST_STRING), 0).unwrap_err(), "a text that is too long");
        assert!(read(&long(9).repeat(MOST_STRING), 0).is_ok());
    }
}
