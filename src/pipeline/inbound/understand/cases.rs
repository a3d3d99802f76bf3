//! Commands about cases that are typed as commands about reports: `report list --open`, `report stats`.

/// What of `report` is about cases.
const OF_CASES: [&str; 3] = ["stats", "import", "set-aside"];

/// The options of a list that only cases have.
const OPTIONS: [&str; 5] = ["--open", "--mine", "--oldest", "--by", "--on"];

/// The words with `case` in the place of `report` where only that can be meant.
pub(in crate::pipeline) fn as_cases(mut words: Vec<String>) -> Vec<String> {
    let is_option = |word: &String| {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        OPTIONS.contains(&name)
    };
    let meant = match words.as_slice() {
        [group, verb, ..] if group == "report" && OF_CASES.contains(&verb.as_str()) => true,
        [group, verb, rest @ ..] if group == "report" && verb == "list" => {
            rest.iter().any(is_option)
        }
        _ => false,
    };
    if meant && let Some(first) = words.first_mut() {
        "case".clone_into(first);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::as_cases;

    #[test]
    fn what_only_cases_have_is_about_cases() {
        let read = |typed: &str| {
            as_cases(typed.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ")
        };
        for (typed, meant) in [
            ("report list --open", "case list --open"),
            ("report list --mine --oldest", "case list --mine --oldest"),
            ("report list --on @eve:x.test", "case list --on @eve:x.test"),
            ("report list --by=@ann:x.test", "case list --by=@ann:x.test"),
            ("report stats", "case stats"),
            ("report import --since 7d", "case import --since 7d"),
            ("report set-aside @troll:x.test", "case set-aside @troll:x.test"),
        ] {
            assert_eq!(read(typed), meant);
        }
        for same in
            ["report list", "report list --sender eve", "report details 5", "user list --on"]
        {
            assert_eq!(read(same), same);
        }
    }
}
