//! Which figures of a benchmark its tables show, and under what title.

/// A column: its title, its key, its decimals; `None`: as it stands.
pub(crate) type Column = (&'static str, &'static str, Option<usize>);

const CYCLE: &[Column] = &[
    ("case", "case", None),
    ("p50 us", "p50_us", Some(1)),
    ("p99 us", "p99_us", Some(1)),
    ("floor p50", "floor_p50_us", Some(1)),
    ("floor p99", "floor_p99_us", Some(1)),
    ("x floor p50", "ratio_p50", Some(2)),
    ("x floor p99", "ratio_p99", Some(2)),
    ("target", "target_ratio_p50", Some(1)),
    ("above floor us", "excess_us", Some(2)),
    ("allowed us", "allowed_us", Some(2)),
    ("capture us", "capture_us", Some(2)),
];

const CAPTURE: &[Column] = &[
    ("case", "case", None),
    ("p50 us", "p50_us", Some(3)),
    ("p99 us", "p99_us", Some(3)),
    ("floor p50", "floor_p50_us", Some(3)),
    ("x floor p50", "ratio_p50", Some(2)),
    ("x floor p99", "ratio_p99", Some(2)),
    ("target", "target_ratio_p50", Some(1)),
    ("GB/s", "gb_per_s", Some(1)),
];

const LOSS_SIMULATED: &[Column] = &[
    ("case", "case", None),
    ("age p50", "age_p50", Some(0)),
    ("p99", "age_p99", Some(0)),
    ("p99.9", "age_p999", Some(0)),
    ("max", "age_max", Some(0)),
    ("cuts %", "cuts_percent", Some(1)),
    ("longest gap", "longest_gap", Some(0)),
    ("not hot %", "not_hot_percent", Some(1)),
    ("repaired", "repaired_frames", Some(0)),
    ("repair %", "repair_percent", Some(2)),
    ("parity %", "parity_percent", Some(2)),
    ("carried %", "carried_percent", Some(2)),
    ("status %", "status_percent", Some(2)),
    ("within", "within_target", None),
];

const LOSS_SOCKETS: &[Column] = &[
    ("case", "case", None),
    ("p50 us", "p50_us", Some(1)),
    ("p99 us", "p99_us", Some(1)),
    ("p99.9 us", "p999_us", Some(1)),
    ("calm p50", "calm_p50_us", Some(1)),
    ("calm p99", "calm_p99_us", Some(1)),
    ("calm p99.9", "calm_p999_us", Some(1)),
    ("x calm p50", "ratio_p50", Some(2)),
    ("x calm p99", "ratio_p99", Some(2)),
    ("excess p50 us", "excess_us", Some(2)),
    ("excess p99 us", "excess_p99_us", Some(1)),
    ("cuts %", "cuts_percent", Some(1)),
    ("age p50", "age_p50", Some(0)),
    ("p99", "age_p99", Some(0)),
    ("p99.9", "age_p999", Some(0)),
    ("max", "age_max", Some(0)),
];

const JOIN: &[Column] = &[
    ("case", "case", None),
    ("to hot ms", "hot_ms", Some(1)),
    ("least", "hot_ms_least", Some(1)),
    ("most", "hot_ms_most", Some(1)),
    ("budget allows ms", "allowed_ms", Some(1)),
    ("x allowed", "ratio_allowed", Some(2)),
    ("aim", "target_ratio_allowed", Some(2)),
    ("cycles", "hot_cycles", Some(0)),
    ("allowed", "allowed_cycles", Some(0)),
    ("commit p50 us", "p50_us", Some(1)),
    ("without p50", "without_p50_us", Some(1)),
    ("x p50", "ratio_p50", Some(3)),
    ("least", "ratio_p50_least", Some(3)),
    ("most", "ratio_p50_most", Some(3)),
    ("aim", "target_ratio_p50", Some(2)),
    ("x p99", "ratio_p99", Some(2)),
    ("A/A p50", "aa_ratio_p50", Some(3)),
    ("A/A p99", "aa_ratio_p99", Some(2)),
];

const WHOLE: &[Column] = &[
    ("case", "case", None),
    ("held after ms", "held_ms", Some(2)),
    ("floor ms", "floor_ms", Some(2)),
    ("x floor", "ratio_p50", Some(2)),
    ("least", "ratio_p50_least", Some(2)),
    ("most", "ratio_p50_most", Some(2)),
    ("aim", "target_ratio_p50", Some(1)),
    ("first ms", "commit_ms", Some(2)),
    ("commits", "commits", Some(0)),
    ("wire 1 Gb/s ms", "wire_1g_ms", Some(1)),
    ("10 Gb/s", "wire_10g_ms", Some(2)),
    ("25 Gb/s", "wire_25g_ms", Some(2)),
];

const SLOW: &[Column] = &[
    ("case", "case", None),
    ("commit p50 us", "p50_us", Some(2)),
    ("p99 us", "p99_us", Some(1)),
    ("healthy p50", "healthy_p50_us", Some(2)),
    ("healthy p99", "healthy_p99_us", Some(1)),
    ("x p50", "ratio_p50", Some(3)),
    ("least", "ratio_p50_least", Some(3)),
    ("most", "ratio_p50_most", Some(3)),
    ("confidence", "ratio_p50_confidence", Some(3)),
    ("aim", "target_ratio_p50", Some(2)),
    ("floor x p50", "floor_ratio_p50", Some(3)),
    ("x p99", "ratio_p99", Some(2)),
    ("least", "ratio_p99_least", Some(2)),
    ("most", "ratio_p99_most", Some(2)),
];

/// Of a table of `bench`; `part` is that of its rows, if they have one.
pub(crate) fn columns(bench: &str, part: Option<&str>) -> &'static [Column] {
    match (bench, part) {
        ("capture", _) => CAPTURE,
        ("loss", Some("sockets")) => LOSS_SOCKETS,
        ("loss", _) => LOSS_SIMULATED,
        ("join", _) => JOIN,
        ("whole", _) => WHOLE,
        ("slow", _) => SLOW,
        _ => CYCLE,
    }
}

/// What must be said only when it is not zero, and how.
pub(crate) const TROUBLES: &[(&str, &str)] = &[
    ("lost", "cycles lost"),
    ("floor_lost", "cycles of the floor lost"),
    ("unseen", "cycles applied behind a newer one while the receiver was off its core"),
    ("stalls", "stalls above 5 ms"),
    ("floor_stalls", "stalls of the floor above 5 ms"),
    ("torn", "TORN CUTS"),
    ("unplanned_takeovers", "unplanned takeovers"),
    ("ticks_missed", "ticks missed by the sender"),
    ("not_in_time", "transfers or joins that did not end in time"),
    ("slices_cut_short", "slices cut short"),
];
