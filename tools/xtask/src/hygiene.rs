//! What a compiler does not look at: file lengths, stubs, where `unsafe` stands, the commands the README promises.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::{Outcome, Report};
use crate::unsafe_list;

/// A longer file is asking to be two. Tests may be as long as they like.
const MOST_LINES: usize = 600;
/// What must not stand in the tree. In two pieces each, so that this file does not find itself.
const STUBS: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
/// The main job and all tests, each in one command.
const README_COMMANDS: &[&str] = &["cargo run --release -- demo", "cargo xtask test"];
/// Folders without sources of ours. Names that begin with a dot are left out as well.
const NOT_OURS: &[&str] = &["target", "corpus", "artifacts"];

/// Adds the steps.
pub(crate) fn steps(report: &mut Report) {
    report.step("hygiene", || match sources() {
        Ok(sources) => all_found(complaints(&sources, unsafe_list::ALLOWED)),
        Err(error) => Outcome::Failed(format!("cannot read the sources: {error}")),
    });
    report.step("readme", || match fs::read_to_string("README.md") {
        Ok(text) => all_found(
            README_COMMANDS
                .iter()
                .filter(|command| !text.contains(**command))
                .map(|command| format!("README.md: no longer shows `{command}`"))
                .collect(),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Outcome::Skipped("there is no README.md yet".to_owned())
        }
        Err(error) => Outcome::Failed(format!("README.md: {error}")),
    });
}

fn all_found(complaints: Vec<String>) -> Outcome {
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{} found", complaints.len()))
    }
}

/// A source file: its path from the root, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// Every Rust file below the current directory, in order of paths.
fn sources() -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(".")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                // A build folder that was put inside the tree under another name gives itself away by this file.
                let is_build = path.join("CACHEDIR.TAG").exists();
                if !(name.starts_with('.') || NOT_OURS.contains(&name.as_str()) || is_build) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path)?;
                let path = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn complaints(sources: &[Source], allowed: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut used = vec![false; allowed.len()];
    for Source { path, text } in sources {
        let lines = text.lines().count();
        if lines > MOST_LINES && !is_test(path) {
            complaints.push(format!("{path}: {lines} lines, at most {MOST_LINES}: make it two files"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            for stub in STUBS.iter().filter(|stub| line.contains(**stub)) {
                complaints.push(format!("{path}:{number}: `{stub}` is left in the tree"));
            }
        }
        if let Some((number, _)) = (1..).zip(text.lines()).find(|(_, line)| has_unsafe(line)) {
            match allowed.iter().position(|(entry, _)| covers(entry, path)) {
                Some(entry) => used[entry] = true,
                None => complaints.push(format!(
                    "{path}:{number}: unsafe outside the list in tools/xtask/src/unsafe_list.rs"
                )),
            }
        }
    }
    for ((entry, _), _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        complaints
            .push(format!("tools/xtask/src/unsafe_list.rs: no unsafe under {entry}: take the entry out"));
    }
    complaints
}

fn is_test(path: &str) -> bool {
    Path::new(path).components().any(|part| part.as_os_str() == "tests")
}

fn covers(entry: &str, path: &str) -> bool {
    if entry.ends_with('/') { path.starts_with(entry) } else { path == entry }
}

/// Whether `unsafe` stands in this line as a keyword: not in a comment, a string or a longer name.
fn has_unsafe(line: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code_of(line).split(|c| !part_of_name(c)).any(|word| word == "unsafe")
}

/// A line up to its comment and without what stands in its strings. Strings over several lines are taken for code, which
/// errs on the side of finding too much.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut in_string = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => drop(chars.next()),
            '\'' if !in_string && chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            _ if in_string => {}
            _ => code.push(c),
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> [Source; 1] {
        [Source { path: path.into(), text: text.into() }]
    }

    #[test]
    fn unsafe_is_found_as_a_keyword_only() {
        for line in
            ["unsafe {", "    let x = unsafe { y };", "#[unsafe(no_mangle)]", "x('\"'); unsafe fn f() {}"]
        {
            assert!(has_unsafe(line), "{line}");
        }
        for line in [
            "// unsafe {",
            "unsafe_op()",
            "let s = \"unsafe\";",
            "f(\"\\\"unsafe\"); // \"unsafe",
            "/// unsafe",
        ] {
            assert!(!has_unsafe(line), "{line}");
        }
    }

    #[test]
    fn unsafe_needs_an_entry_and_an_entry_needs_unsafe() {
        let source = one("a/src/b.rs", "unsafe { f() }\n");
        assert_eq!(complaints(&source, &[]).len(), 1);
        assert_eq!(complaints(&source, &[("a/src/b.rs", "why")]), [""; 0]);
        assert_eq!(complaints(&source, &[("a/", "why")]), [""; 0]);
        assert_eq!(complaints(&source, &[("a/", "why"), ("c.rs", "why")]).len(), 1);
    }

    #[test]
    fn stubs_are_found() {
        for stub in STUBS {
            assert_eq!(complaints(&one("a.rs", &format!("x\n{stub}")), &[]).len(), 1, "{stub}");
        }
    }

    #[test]
    fn long_files_are_found_outside_tests() {
        let text = "x\n".repeat(MOST_LINES + 1);
        assert_eq!(complaints(&one("a/src/b.rs", &text), &[]).len(), 1);
        assert_eq!(complaints(&one("tests/src/b.rs", &text), &[]), [""; 0]);
        assert_eq!(complaints(&one("a/tests/b.rs", &text), &[]), [""; 0]);
        assert_eq!(complaints(&one("a/src/b.rs", &text["x\n".len()..]), &[]), [""; 0]);
    }
}
