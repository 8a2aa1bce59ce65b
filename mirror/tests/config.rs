//! What is wrong in a configuration file is answered with the file, the key, the value and the remedy.

use mirror::{Config, ObserverConfig, ObserversConfig, Place};

const GOOD: &str = r#"[node]
id = 1
members = [1, 2]
[group]
name = "g"
[region]
[cycle]
[track]
[link]
address = "239.255.77.1:7701"
interface = "lo"
"#;

#[test]
fn a_minimal_file_has_the_defaults() {
    let expected = Config::new("g", 1, "239.255.77.1:7701".parse().unwrap(), "lo");
    assert_eq!(Config::parse(GOOD, "f.toml"), Ok(expected));
}

#[test]
fn every_setting_arrives() {
    let text = r#"
        node = { id = 7, members = [3, 7] }
        group.name = "press"
        region = { layout = "press 4", kind = "file", path = "/dev/shm/press", mode = "0640" }
        cycle = { period_us = 250, phase_us = 100, silence_cycles = 8, patience_cycles = 80, deadline_us = 9000 }
        track.kind = "marked"
        [link]
        address = "239.1.2.3:4000"
        interface = "eth7"
        ttl = 3
        loopback = false
        frame_bytes = 8000
        wait = "spin"
        receive_buffer = 123456
        [link.second]
        address = "[ff15::77]:4001"
        interface = "eth8"
        ttl = 4
        [observers]
        address = "239.1.2.9:4100"
        frames = 40
    "#;
    let mut wanted = Config::new("press", 7, "239.1.2.3:4000".parse().unwrap(), "eth7");
    wanted.members = vec![3, 7];
    wanted.layout = "press 4".into();
    (wanted.place, wanted.mode) = (Place::File("/dev/shm/press".into()), 0o640);
    (wanted.period_us, wanted.phase_us, wanted.deadline_us) = (250, Some(100), 9000);
    (wanted.silence_cycles, wanted.patience_cycles) = (8, 80);
    wanted.track = mirror::Track::Marked;
    (wanted.link.ttl, wanted.link.loopback, wanted.link.frame_bytes) = (3, false, 8000);
    (wanted.link.wait, wanted.link.receive_buffer) = (mirror::WaitMode::Spin, Some(123_456));
    // What the second network does not say is as at the first.
    let mut second = wanted.link.clone();
    (second.address, second.interface, second.ttl) = ("[ff15::77]:4001".parse().unwrap(), "eth8".into(), 4);
    wanted.second_link = Some(second);
    let channel = Some("239.1.2.9:4100".parse().unwrap());
    wanted.observers = Some(ObserversConfig { address: channel, frames: 40, serve_alone: false });
    assert_eq!(Config::parse(text, "f.toml"), Ok(wanted));
}

#[test]
fn every_mistake_names_key_value_and_remedy() {
    // What stands in the good file, what stands there instead, key, value, words of the remedy.
    let cases = [
        // Wrong type.
        ("id = 1", "id = \"one\"", "node.id", "\"one\"", "from 1 to 255"),
        ("id = 1", "id = 300", "node.id", "300", "from 1 to 255"),
        ("id = 1", "id = -1", "node.id", "-1", "from 1 to 255"),
        ("[1, 2]", "[1, 300]", "node.members[1]", "300", "from 1 to 255"),
        ("[1, 2]", "1", "node.members", "1", "expected a sequence"),
        ("[cycle]", "[cycle]\nperiod_us = 1.5", "cycle.period_us", "1.5", "whole number"),
        ("[region]", "[region]\nmode = 600", "region.mode", "600", "in quotes"),
        ("\"lo\"", "\"lo\"\nloopback = 1", "link.loopback", "1", "true or false"),
        ("\"lo\"", "\"lo\"\nreceive_buffer = -4", "link.receive_buffer", "-4", "whole number"),
        // Out of range.
        ("id = 1", "id = 0", "node.id", "0", "from 1 to 255"),
        ("[1, 2]", "[]", "node.members (how many)", "0", "from 1 to 7"),
        ("[1, 2]", "[1,2,3,4,5,6,7,8]", "node.members (how many)", "8", "from 1 to 7"),
        ("[1, 2]", "[2, 3]", "node.members", "[2, 3]", "this node among them"),
        ("[1, 2]", "[1, 1]", "node.members", "[1, 1]", "once"),
        ("[1, 2]", "[1, 0]", "node.members", "[1, 0]", "from 1 to 255"),
        ("\"g\"", "\"\"", "group.name", "", "name the group"),
        ("[cycle]", "[cycle]\nperiod_us = 9", "cycle.period_us", "9", "from 10 to 10000000"),
        ("[cycle]", "[cycle]\nperiod_us = 10000001", "cycle.period_us", "10000001", "from 10 to 10000000"),
        ("[cycle]", "[cycle]\nphase_us = 1000", "cycle.phase_us", "1000", "from 0 to 999"),
        ("[cycle]", "[cycle]\nsilence_cycles = 1", "cycle.silence_cycles", "1", "from 3 to 1000"),
        ("[cycle]", "[cycle]\npatience_cycles = 9", "cycle.patience_cycles", "9", "from 10 to 1000000"),
        ("[cycle]", "[cycle]\ndeadline_us = 0", "cycle.deadline_us", "0", "from 1 to 3600000000"),
        ("[region]", "[region]\nmode = \"0200\"", "region.mode", "0200", "0600"),
        ("[region]", "[region]\nmode = \"1777\"", "region.mode", "1777", "0777"),
        ("[region]", "[region]\nmode = \"0999\"", "region.mode", "0999", "octal"),
        ("[region]", "[region]\nkind = \"disk\"", "region.kind", "\"disk\"", "`named`, `file`, `memfd`"),
        ("[track]", "[track]\nkind = \"pages\"", "track.kind", "\"pages\"", "`diff` or `marked`"),
        ("\"lo\"", "\"lo\"\nwait = \"sleep\"", "link.wait", "\"sleep\"", "`spin`, `yield`, `block`"),
        ("\"lo\"", "\"lo\"\nttl = 256", "link.ttl", "256", "from 0 to 255"),
        ("\"lo\"", "\"lo\"\nframe_bytes = 511", "link.frame_bytes", "511", "from 512 to 65507"),
        ("\"lo\"", "\"lo\"\nframe_bytes = 65508", "link.frame_bytes", "65508", "from 512 to 65507"),
        // Settings that would have no effect.
        ("[region]", "[region]\nkind = \"file\"", "region.path", "", "needs its path"),
        ("[region]", "[region]\nkind = \"named\"\npath = \"/x\"", "region.path", "/x", "leave it out"),
        ("[region]", "[region]\nkind = \"memfd\"\npath = \"/x\"", "region.path", "/x", "leave it out"),
        ("[region]", "[region]\nkind = \"memfd\"\nname = \"x\"", "region.name", "x", "leave it out"),
        (
            "[region]",
            "[region]\nkind = \"file\"\nname = \"x\"\npath = \"/x\"",
            "region.name",
            "x",
            "leave it out",
        ),
        ("[region]", "[region]\nname = \"x\"\npath = \"/x\"", "region.path", "/x", "leave it out"),
        // Unknown and missing keys.
        ("id = 1", "id = 1\nidd = 2", "node.idd", "idd", "expected one of `id`, `members`, `begin_alone`"),
        ("[track]", "[tracks]", "tracks", "tracks", "`node`, `group`, `region`"),
        ("id = 1", "", "node.id", "(missing)", "no default"),
        ("interface = \"lo\"", "", "link.interface", "(missing)", "no default"),
        ("[group]\nname = \"g\"\n", "", "group", "(missing)", "no default"),
        // Addresses.
        (":7701", "", "link.address", "\"239.255.77.1\"", "an address and a port"),
        ("\"239.255.77.1:7701\"", "7701", "link.address", "7701", "an address and a port"),
        ("239.255.77.1", "10.0.0.1", "link.address", "10.0.0.1:7701", "multicast"),
        ("239.255.77.1", "[fe80::1]", "link.address", "[fe80::1]:7701", "multicast"),
        // Syntax.
        ("\"g\"", "g", "line 5", "quoted", "TOML syntax"),
        ("[group]", "[group", "line 4", "unclosed", "TOML syntax"),
        ("id = 1", "id = 1\nid = 2", "line 3", "duplicate", "TOML syntax"),
    ];
    for (from, to, key, value, remedy) in cases {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = match Config::parse(&text, "some/f.toml") {
            Ok(_) => panic!("taken: {to}"),
            Err(error) => error,
        };
        let said = error.to_string();
        assert_eq!(error.key, key, "{said}");
        let exact = error.value == value || (key.starts_with("line") && error.value.contains(value));
        assert!(exact && error.remedy.contains(remedy), "{to:?} is answered by: {said}");
        for part in ["some/f.toml", key, &error.remedy] {
            assert!(said.contains(part), "no {part} in: {said}");
        }
    }
}

#[test]
fn every_mistake_about_the_second_network_names_key_value_and_remedy() {
    let good = format!("{GOOD}[link.second]\naddress = \"239.255.77.2:7701\"\ninterface = \"eth9\"\n");
    assert!(Config::parse(&good, "f.toml").unwrap().second_link.is_some());
    let cases = [
        ("interface = \"eth9\"", "", "link.second.interface", "(missing)", "no default"),
        ("\"239.255.77.2:7701\"", "\"eth9\"", "link.second.address", "\"eth9\"", "an address and a port"),
        ("239.255.77.2", "10.0.0.1", "link.second.address", "10.0.0.1:7701", "multicast"),
        ("\"eth9\"", "\"eth9\"\nttl = 256", "link.second.ttl", "256", "from 0 to 255"),
        ("\"eth9\"", "\"eth9\"\nframe_bytes = 600", "link.second.frame_bytes", "600", "give 1472"),
        ("\"eth9\"", "\"eth9\"\nwait = \"spin\"", "link.second.wait", "spin", "give \"block\""),
        ("\"eth9\"", "\"eth9\"\nmtu = 9000", "link.second.mtu", "mtu", "unknown field"),
        (
            "77.2:7701\"\ninterface = \"eth9\"",
            "77.1:7701\"\ninterface = \"lo\"",
            "link.second.interface",
            "lo",
            "shares nothing with the first",
        ),
        (
            "\"eth9\"",
            "\"eth9\"\n[link.second.second]\naddress = \"239.1.1.1:1\"\ninterface = \"x\"",
            "link.second.second",
            "",
            "at most two",
        ),
    ];
    for (from, to, key, value, remedy) in cases {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = Config::parse(&text, "some/f.toml").expect_err(to);
        assert_eq!((error.key.as_str(), error.value.as_str()), (key, value), "{error}");
        assert!(error.remedy.contains(remedy), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load("/nowhere/at/all.toml").unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all.toml") && error.contains("No such file"), "{error}");
    let error = Config::load("/").unwrap_err().to_string();
    assert!(error.contains("directory") && error.contains("can be read"), "{error}");
}

#[test]
fn any_text_at_all_is_answered() {
    // Every prefix of the file, and every line of it left out.
    for end in 0..GOOD.len() {
        let _ = Config::parse(&GOOD[..end], "f").map_err(|e| assert!(!e.to_string().is_empty()));
    }
    for left_out in 0..GOOD.lines().count() {
        let lines = GOOD.lines().enumerate().filter(|(at, _)| *at != left_out);
        let text: String = lines.map(|(_, line)| format!("{line}\n")).collect();
        let empty = ["[region]", "[cycle]", "[track]"].contains(&GOOD.lines().nth(left_out).unwrap());
        assert_eq!(Config::parse(&text, "f").is_ok(), empty, "{text}");
    }
}

#[test]
fn an_observer_is_told_less_and_asked_the_same() {
    let minimal = "group.name = \"g\"\nlink = { address = \"239.255.77.1:7701\", interface = \"lo\" }";
    let expected = ObserverConfig::new("g", "239.255.77.1:7701".parse().unwrap(), "lo");
    assert_eq!(ObserverConfig::parse(minimal, "o.toml"), Ok(expected.clone()));
    let text = r#"
        group.name = "g"
        region = { layout = "press 4", name = "wall", mode = "0640" }
        cycle = { period_us = 250, silence_cycles = 8, records = 4 }
        link = { address = "239.255.77.1:7701", interface = "lo", second = { address = "239.255.77.2:7701", interface = "eth2" } }
        observers.address = "239.255.77.9:7800"
    "#;
    let mut wanted = expected;
    (wanted.layout, wanted.place, wanted.mode) = ("press 4".into(), Place::Named("wall".into()), 0o640);
    (wanted.period_us, wanted.silence_cycles, wanted.records) = (250, 8, Some(4));
    let mut second = wanted.link.clone();
    (second.address, second.interface) = ("239.255.77.2:7701".parse().unwrap(), "eth2".into());
    wanted.second_link = Some(second);
    wanted.observers = Some("239.255.77.9:7800".parse().unwrap());
    assert_eq!(ObserverConfig::parse(text, "o.toml"), Ok(wanted));
    let said =
        |more: &str| ObserverConfig::parse(&format!("{minimal}\n{more}"), "o.toml").unwrap_err().to_string();
    assert!(said("observers.address = \"239.255.77.1:7701\"").contains("observers.address"));
    assert!(said("observers.address = \"10.0.0.1:7701\"").contains("multicast"));
    assert!(said("cycle.period_us = 1").contains("cycle.period_us"));
    assert!(said("node.id = 1").contains("node"));
}

#[test]
fn the_observers_channel_is_checked_with_the_rest() {
    let said = |more: &str| Config::parse(&format!("{GOOD}{more}"), "f.toml").unwrap_err().to_string();
    assert!(Config::parse(&format!("{GOOD}[observers]"), "f.toml").unwrap().observers.is_some());
    assert!(said("[observers]\nframes = 0").contains("observers.frames"));
    assert!(said("[observers]\nserve_alone = true").contains("observers.serve_alone"));
    assert!(said("[observers]\naddress = \"239.255.77.1:7701\"").contains("a port of its own"));
}
