//! What is shown, and that nothing of it is anybody's words.

use std::{fs, path::Path};

use super::*;

/// Every family with a value, as it is scraped. It stands in `deploy/prometheus`, where promtool looks at
/// it.
const EXAMPLE: &str = "deploy/prometheus/example.prom";

fn metrics() -> Metrics {
    let verbs = ["user suspend", "user deactivate"].map(str::to_owned);
    let operations = [("GET", "v2/users/{user_id}"), ("PUT", "v1/suspend/{user_id}")];
    Metrics::counting(verbs, operations).unwrap()
}

const PROCESS: Process = Process { sync_age: Duration::from_secs(12), healthy: true, ready: false };

fn text(metrics: &Metrics, levels: Option<&Levels>) -> String {
    metrics.text(PROCESS, levels).unwrap()
}

/// Something of every family.
fn example() -> String {
    let metrics = metrics();
    metrics.command("user suspend", "done");
    metrics.change("user suspend", "done");
    metrics.answered("change", Duration::from_millis(300));
    let path = "/_synapse/admin/v2/users/{}";
    metrics.requested("GET", path, Duration::from_millis(20), None);
    metrics.requested("GET", path, Duration::from_millis(30), Some("404"));
    let levels = Levels {
        jobs_running: 1,
        record_entries: 12,
        store_bytes: 1 << 20,
        device_signed: true,
        one_time_keys: true,
        token_accepted: true,
        ..Levels::default()
    };
    text(&metrics, Some(&levels)).replace(env!("CARGO_PKG_VERSION"), "0.0.0")
}

#[test]
fn every_family_has_its_help_and_is_in_the_example() {
    let example = example();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &example).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap();
    assert!(example == there, "{EXAMPLE} is not up to date: run this test with UPDATE_DOCS=1");
    let with = |start: &str| {
        let lines = example.lines().filter_map(|line| line.strip_prefix(start));
        let names = lines.filter_map(|line| line.split(' ').next().map(str::to_owned));
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(with("# HELP "), with("# TYPE "));
    assert!(with("# TYPE ").len() > 18, "{example}");
    let families = metrics().0.unwrap();
    let described = families.registry.gather().len() + families.levels_registry.gather().len();
    assert!(described < with("# TYPE ").len(), "families without a value are not shown");
}

#[test]
fn each_thing_that_happens_is_counted_in_its_place() {
    let metrics = metrics();
    for _ in 0..3 {
        metrics.command("user suspend", "done");
    }
    metrics.command("user deactivate", "asked");
    metrics.command("yes", "no_answer");
    metrics.change("user deactivate", "unknown");
    metrics.answered("look", Duration::from_millis(80));
    metrics.undecryptable(Undecryptable::GivenUp);
    let put = "/_synapse/admin/v1/suspend/{}";
    metrics.requested("PUT", put, Duration::from_secs(3), Some("timeout"));
    metrics.requested("GET", "/_matrix/client/v3/account/whoami", Duration::ZERO, None);
    let text = text(&metrics, None);
    for line in [
        "synod_commands_total{outcome=\"done\",verb=\"user suspend\"} 3",
        "synod_commands_total{outcome=\"asked\",verb=\"user deactivate\"} 1",
        "synod_commands_total{outcome=\"no_answer\",verb=\"yes\"} 1",
        "synod_changes_total{outcome=\"unknown\",verb=\"user deactivate\"} 1",
        "synod_answer_seconds_bucket{kind=\"look\",le=\"0.05\"} 0",
        "synod_answer_seconds_bucket{kind=\"look\",le=\"0.1\"} 1",
        "synod_undecryptable_events_total{outcome=\"given_up\"} 1",
        "synod_undecryptable_events_total{outcome=\"waits\"} 0",
        "synod_admin_api_request_seconds_count{operation=\"PUT v1/suspend/{user_id}\"} 1",
        "synod_admin_api_request_seconds_count{operation=\"client\"} 1",
        "synod_admin_api_errors_total{kind=\"timeout\",operation=\"PUT v1/suspend/{user_id}\"} 1",
        "synod_sync_age_seconds 12",
        "synod_healthy 1",
        "synod_ready 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("synod_jobs"), "nothing is said of a bot that is not there yet");
}

#[test]
fn what_is_not_known_beforehand_is_other_however_much_of_it_there_is() {
    let metrics = metrics();
    for number in 0..500 {
        metrics.command(&format!("@mallory{number}:evil.test"), "done");
        metrics.change(&format!("!room{number}"), "done");
        let template = format!("/_synapse/admin/v1/rooms/{}{{}}", "rooms/".repeat(number));
        metrics.requested("GET", &template, Duration::ZERO, Some("404"));
        metrics.requested(
            &format!("M{number}"),
            "/_synapse/admin/v2/users/{}",
            Duration::ZERO,
            None,
        );
    }
    let text = text(&metrics, Some(&Levels::default()));
    assert!(text.contains("synod_commands_total{outcome=\"done\",verb=\"other\"} 500"), "{text}");
    assert!(
        text.contains("synod_admin_api_request_seconds_count{operation=\"other\"} 1000"),
        "{text}"
    );
    assert!(!text.contains("mallory") && !text.contains("!room"), "{text}");
    assert!(text.lines().count() < 120, "{text}");
}

#[test]
fn metrics_that_are_off_count_and_show_nothing() {
    let metrics = Metrics::off();
    metrics.command("user suspend", "done");
    metrics.requested("GET", "/", Duration::ZERO, Some("404"));
    assert_eq!(text(&metrics, Some(&Levels::default())), "");
}

#[test]
fn every_metric_that_rules_and_dashboard_name_is_there() {
    let example = example();
    let there: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for (file, least) in [
        ("deploy/prometheus/synod.rules.yml", 12),
        ("deploy/prometheus/synod.rules.test.yml", 12),
        ("deploy/grafana/synod.json", 15),
    ] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("synod_"));
        let named: BTreeSet<&str> = words
            .map(|word| {
                let ends = ["_bucket", "_sum", "_count"];
                ends.into_iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word)
            })
            .collect();
        assert!(named.len() >= least, "{file} names only {named:?}");
        let unknown: Vec<_> = named.difference(&there).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}
