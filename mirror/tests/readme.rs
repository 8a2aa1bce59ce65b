//! What the README shows as a configuration is one.

use mirror::{Config, Track, WaitMode};

#[test]
fn the_configuration_in_the_readme_is_taken() {
    let readme = include_str!("../../README.md");
    let block = readme.lines().skip_while(|line| *line != "    [group]");
    let text: Vec<&str> = block.map_while(|line| line.strip_prefix("    ")).collect();
    let config = Config::parse(&text.join("\n"), "README.md").unwrap();
    assert_eq!((config.group.as_str(), config.node, &config.members[..]), ("press-line", 1, &[1, 2][..]));
    assert_eq!((config.silence_cycles, config.max_age_cycles, config.track), (5, 2, Track::Diff));
    assert_eq!(config.link.wait, WaitMode::Spin);
    assert_eq!(config.second_link.unwrap().interface, "eth2");
    assert_eq!(config.observers, Some(mirror::ObserversConfig::default()));
}
