//! The demo itself, as a user runs it: real processes, real kills. What it promises is checked, never how fast it was.

use mirror_tools::report::data::{Kind, Report};
use std::process::Command;

fn names(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    let name = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().to_string_lossy().into_owned();
    entries.map(name).filter(|n| n.starts_with(prefix)).collect()
}

#[test]
fn the_demo_keeps_its_promise_and_leaves_nothing_behind() {
    let dir = std::env::temp_dir().join(format!("mirror-demo-test-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let (json, page) = (dir.join("demo.json"), dir.join("demo.html"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_mirror"))
        .args(["demo", "--trials", "3", "--seed", "4", "--json"])
        .arg(&json)
        .arg("--report")
        .arg(&page)
        .spawn()
        .unwrap();
    let id = child.id();
    assert!(child.wait().unwrap().success());

    let report: Report = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let page = std::fs::read_to_string(&page).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"), "a page with plots");
    assert_eq!(report.trials.len(), 6);
    let s = &report.summary;
    assert_eq!((s.trials, s.torn, s.gate_violations), (3, 0, 0));
    for row in &report.trials {
        assert!(!row.torn && row.gate_stale_accepted == 0);
        if row.kind == Kind::Hot && row.refused.is_none() {
            let (exposed, dead) = (row.cut_exposed.unwrap(), row.cut_dead.unwrap());
            assert!(exposed <= dead, "{row:?}");
            assert!(row.cycles_behind.unwrap() <= 1, "{row:?}");
        }
    }
    assert!(report.trials.iter().any(|t| t.kind == Kind::Hot && t.refused.is_none()), "somebody took over");
    assert_eq!(names(&format!("mirror-demo-{id}")), Vec::<String>::new());
}

#[test]
fn impossible_arguments_are_refused_with_the_range() {
    let run = Command::new(env!("CARGO_BIN_EXE_mirror")).args(["demo", "--trials", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && said.contains("--trials") && said.contains("1..=100000"), "{said}");
}
