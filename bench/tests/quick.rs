//! Every command runs once with its smallest parameters, so that none can rot. No time is asserted.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

fn run(arguments: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_mirror-bench")).args(arguments).output().unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_cycle_is_measured_and_shown_again() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cycle.json");
    let path = file.to_str().unwrap();
    let table = run(&["cycle", "--rounds", "1", "--cycles", "20", "--json", path]);
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["bench"], "cycle");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), mirror_bench::cycle::case::cases(false, &[]).len());
    for row in rows {
        for key in ["case", "against"] {
            assert!(row[key].is_string(), "{key} of {row}");
        }
        for key in ["p50_us", "p99_us", "ratio_p50", "ratio_p99", "excess_us", "capture_us", "allowed_us"] {
            assert!(row[key].is_f64(), "{key} of {row}");
        }
        assert_eq!((&row["torn"], &row["unplanned_takeovers"]), (&0.into(), &0.into()), "{row}");
        assert!(table.contains(row["case"].as_str().unwrap()));
    }
    assert_eq!(run(&["show", path]), table);
    assert!(run(&["show", path, "--markdown"]).contains("| --- |"));
}

#[test]
fn sizes_choose_cases_and_strange_ones_are_refused() {
    let out =
        Command::new(env!("CARGO_BIN_EXE_mirror-bench")).args(["cycle", "--sizes", "3KiB"]).output().unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("there are 4KiB, 64KiB, 1MiB"));
}
