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

/// Runs a command, and gives its rows and its table; all rows have these figures, and no cut was torn.
fn rows_of(bench: &str, arguments: &[&str], figures: &[&str]) -> Vec<Value> {
    let name = format!("{}.json", arguments.join("-").replace(['/', '.'], "_"));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let path = file.to_str().unwrap();
    let table = run(&[arguments, &["--json", path]].concat());
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["bench"], bench);
    let rows = report["rows"].as_array().unwrap().clone();
    for row in &rows {
        assert!(row["against"].is_string() && table.contains(row["case"].as_str().unwrap()), "{row}");
        for figure in figures {
            assert!(row[figure].is_number(), "{figure} of {row}");
        }
        assert_eq!(row["torn"].as_u64().unwrap_or(0), 0, "{row}");
        assert_eq!(row["unplanned_takeovers"].as_u64().unwrap_or(0), 0, "{row}");
    }
    assert_eq!(run(&["show", path]), table);
    rows
}

#[test]
fn loss_is_simulated_the_same_each_time() {
    let figures = ["age_p50", "age_max", "cuts_percent", "longest_gap", "repair_percent", "status_percent"];
    let simulate = |seed| {
        rows_of("loss", &["loss", "--only", "simulation", "--simulated", "20", "--seed", seed], &figures)
    };
    let rows = simulate("5");
    assert_eq!(rows.len(), mirror_bench::loss::case::Case::all().len());
    assert_eq!(rows, simulate("5"));
    assert_ne!(rows, simulate("6"));
}

#[test]
fn loss_is_measured_on_sockets() {
    let rows = rows_of(
        "loss",
        &["loss", "--only", "sockets", "--rounds", "1", "--cycles", "30"],
        &["p50_us", "p99_us", "p999_us", "cuts_percent", "age_p50", "age_max", "frames_dropped"],
    );
    let (calm, lossy): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["excess_us"].is_null());
    assert_eq!((calm.len(), lossy.len()), (3, 12));
    assert!(calm.iter().all(|row| row["frames_dropped"] == 0));
    assert!(lossy.iter().any(|row| row["frames_dropped"].as_u64() > Some(0)));
    assert!(lossy.iter().all(|row| row["ratio_p50_confidence"].is_number()));
}

#[test]
fn a_join_a_whole_region_and_bad_standbys_are_measured() {
    let figures =
        ["hot_ms", "allowed_ms", "ratio_allowed", "p50_us", "without_p50_us", "ratio_p50", "aa_ratio_p99"];
    let rows = rows_of("join", &["join", "--rounds", "1", "--cycles", "20", "--sizes", "1MiB"], &figures);
    assert_eq!(rows.len(), 1);
    let figures = ["floor_ms", "wire_1g_ms", "wire_10g_ms", "wire_25g_ms", "transfers"];
    let rows = rows_of("whole", &["whole", "--rounds", "2", "--sizes", "1MiB"], &figures);
    assert_eq!(rows.len(), mirror_bench::whole::BUDGETS.len());
    let figures =
        ["p50_us", "healthy_p50_us", "ratio_p50", "ratio_p50_least", "ratio_p50_most", "floor_ratio_p50"];
    let rows = rows_of("slow", &["slow", "--quick", "--rounds", "1", "--cycles", "10"], &figures);
    assert_eq!(rows.len(), 4);
}

#[test]
fn sizes_choose_cases_and_strange_ones_are_refused() {
    let out =
        Command::new(env!("CARGO_BIN_EXE_mirror-bench")).args(["cycle", "--sizes", "3KiB"]).output().unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("there are 4KiB, 64KiB, 1MiB"));
}
