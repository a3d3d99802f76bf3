use std::io::BufReader;

use super::*;

/// A page of these lines, whether or not they are a chain.
fn page(lines: &str) -> String {
    let mut out = Vec::new();
    let now = "2026-11-29T12:00:00Z".parse().unwrap();
    write(BufReader::new(lines.as_bytes()), None, now, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn sample(version: u8) -> String {
    let samples = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    std::fs::read_to_string(samples.join(format!("record-v{version}.jsonl"))).unwrap()
}

/// A line that says when something was done, of no chain.
fn done(seq: u64, at: &str, by: &str) -> String {
    format!(
        "{{\"entry\":{{\"seq\":{seq},\"at\":\"{at}\",\"kind\":\"closed\",\"digest\":\"\",\"before\":\"\",\
         \"hash\":\"\"}},\"salt\":null,\"record\":{{\"by\":\"{by}\",\"word\":\"done\"}}}}\n"
    )
}

#[test]
fn a_record_of_every_version_has_a_page() {
    for (version, held) in [
        (1, &["The chain is intact", "id=\"chain2\"", "Undo", "!user suspend @eve:x.test"][..]),
        (2, &["The chain is intact", "Approved by", "id=\"chain1\"", "the end was changed"]),
        (3, &["The chain is intact", "the end of what went on", "Erased since", "nobody answers"]),
        (4, &["The chain is intact", "Not found", "Failed"]),
    ] {
        let page = page(&sample(version));
        for piece in held {
            assert!(page.contains(piece), "version {version}: {piece}\n{page}");
        }
        assert!(!page.contains("!!"), "a command is shown as it is typed");
        assert!(!page.contains("After the break"), "version {version}");
    }
}

#[test]
fn what_another_version_has_written_is_shown_as_far_as_it_is_understood() {
    let line = "{\"entry\":{\"seq\":1,\"at\":\"some day\",\"kind\":\"from_later\",\"hash\":\"\"},\
                \"record\":{\"by\":\"@ann:x.test\",\"subjects\":[{\"star\":\"Sirius\"}],\"new\":7}}\n";
    let page = page(line);
    for piece in ["From later", "some day", "@ann:x.test", "Sirius", "The chain is broken"] {
        assert!(page.contains(piece), "{piece}\n{page}");
    }
}

#[test]
fn weeks_begin_on_monday_have_no_gap_and_of_a_long_time_the_last_are_drawn() {
    let weeks = |lines: &str| {
        let reading = Reading::of(BufReader::new(lines.as_bytes()), None).unwrap();
        (weeks::Weeks::by_outcome(&reading), weeks::Weeks::by_operator(&reading))
    };
    let lines =
        [done(1, "2026-10-04T23:59:59Z", "@a:x"), done(2, "2026-10-19T00:00:00Z", "@b:x")].concat();
    let (by_outcome, by_operator) = weeks(&lines);
    let by_outcome = by_outcome.unwrap();
    let begin: Vec<String> = by_outcome.begin.iter().map(ToString::to_string).collect();
    assert_eq!(begin, ["2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19"]);
    assert_eq!(by_outcome.counts.iter().map(|week| week[0]).collect::<Vec<_>>(), [1, 0, 0, 1]);
    assert_eq!(by_operator.unwrap().series, ["@a:x", "@b:x"]);
    let lines =
        [done(1, "0001-01-09T00:00:00Z", "@a:x"), done(2, "9999-01-01T00:00:00Z", "@a:x")].concat();
    let (by_outcome, _) = weeks(&lines);
    let by_outcome = by_outcome.unwrap();
    assert!(by_outcome.cut && by_outcome.begin.len() == 522);
    let many: String =
        (1..=9).map(|n| done(n, "2026-10-05T00:00:00Z", &format!("@{n}:x"))).collect();
    let (_, by_operator) = weeks(&many);
    let by_operator = by_operator.unwrap();
    assert_eq!(by_operator.series.last().unwrap(), "3 others");
    assert_eq!(by_operator.counts, [[1, 1, 1, 1, 1, 1, 3]]);
    assert!(weeks("").0.is_none());
}
