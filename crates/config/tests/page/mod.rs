//! The fenced blocks of a Markdown page, with the comment that says how each one is tried. Shared by
//! the tests of two crates: this one's for blocks of configuration, the command's for lines of shell.
//!
//! It knows fences and comments, and no more of Markdown. How a block is marked:
//! CONTRIBUTING.md, "To add a page to the guide".

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    /// The words of the comment directly before it, with those in quotes as one, without quotes.
    pub marks: Vec<String>,
    /// What is in it, without the indentation of the fence.
    pub text: String,
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages whose blocks are tried, by their paths from the root: README.md and the guide.
pub fn pages() -> std::io::Result<Vec<String>> {
    let mut pages = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs/guide"))? {
        let name = entry?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(format!("docs/guide/{}", name.to_string_lossy()));
        }
    }
    pages.sort();
    Ok(pages)
}

/// The blocks of a page. A block that says no language could be one of shell that nobody runs, so it
/// is refused, and so is one that never ends.
pub fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let text = std::fs::read_to_string(root().join(page)).map_err(|error| error.to_string())?;
    read(&text).map_err(|error| format!("{page}:{error}"))
}

/// The blocks of a page of this text.
pub fn read(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let (bare, number) = (line.trim_start(), index + 1);
        let Some(after) = bare.strip_prefix("```") else {
            before = bare;
            continue;
        };
        let fence: String = bare.chars().take_while(|c| *c == '`').collect();
        let language = after.trim_start_matches('`').trim();
        if language.is_empty() {
            return Err(format!("{number}: a block without a language: sh, toml, text …?"));
        }
        if ["bash", "shell", "console", "zsh"].contains(&language) {
            return Err(format!("{number}: {language:?} is written sh here, so that it is run"));
        }
        let indented = line.len() - bare.len();
        let mut text = String::new();
        loop {
            let Some((_, line)) = lines.next() else {
                return Err(format!("{number}: a block that never ends"));
            };
            if line.trim() == fence {
                break;
            }
            let kept = line.get(indented..).unwrap_or_else(|| line.trim_start());
            text.push_str(kept);
            text.push('\n');
        }
        let comment = before.strip_prefix("<!--").and_then(|rest| rest.trim().strip_suffix("-->"));
        let marks = words(comment.unwrap_or_default()).map_err(|why| format!("{number}: {why}"))?;
        blocks.push(Block { line: number, language: language.to_owned(), marks, text });
        before = "";
    }
    Ok(blocks)
}

/// Words between blanks; `"…"` is one word, also after `key=`.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut any) = (String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => (quoted, any) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if quoted {
        return Err(format!("a quote that never ends: {text}"));
    }
    if any {
        words.push(word);
    }
    Ok(words)
}

#[test]
fn blocks_and_their_marks_are_read() {
    let page = "# T\n<!-- try: none exit=1 until=\"a b\" -->\n```sh\nls\n\n  cd\n```\ntext\n\
                1. item\n   <!-- shows -->\n   ```text\n   x\n     y\n   ```\n";
    let blocks = read(page).unwrap();
    assert_eq!(blocks.len(), 2);
    assert_eq!((blocks[0].line, blocks[0].language.as_str()), (3, "sh"));
    assert_eq!(blocks[0].marks, ["try:", "none", "exit=1", "until=a b"]);
    assert_eq!(blocks[0].text, "ls\n\n  cd\n");
    assert_eq!((blocks[1].line, blocks[1].marks.as_slice()), (11, &["shows".to_owned()][..]));
    assert_eq!(blocks[1].text, "x\n  y\n");
    // A comment that is not directly before it is another block's, or nobody's.
    assert!(read("<!-- try: none -->\n\n```sh\nls\n```\n").unwrap()[0].marks.is_empty());
}

#[test]
fn what_could_be_passed_over_in_silence_is_refused() {
    for (page, says) in [
        ("```\nls\n```\n", "1: a block without a language"),
        ("\n```bash\nls\n```\n", "2: \"bash\" is written sh"),
        ("```sh\nls\n", "1: a block that never ends"),
        ("<!-- try: elsewhere \"x -->\n```sh\nls\n```\n", "2: a quote that never ends"),
    ] {
        let error = read(page).unwrap_err();
        assert!(error.starts_with(says), "{error}");
    }
}
