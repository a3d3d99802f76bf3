//! The two files that people start from: config.example.yaml and config.reference.yaml.

use std::collections::BTreeSet;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.yaml");
const REFERENCE: &str = include_str!("../../../config.reference.yaml");

/// What stands in place of each placeholder of the example.
const MINE: &[(&str, &str)] = &[
    ("<your-homeserver>", "https://matrix.example.org"),
    ("<your-server-name>", "example.org"),
    ("<your-name>", "ann"),
];

/// A file with its paths moved into a folder where the secrets lie.
fn moved(folder: &Folder, text: &str) -> String {
    let here = folder.0.path().to_str().unwrap();
    folder.file("admin-token", CANARY, 0o600);
    folder.file("password", CANARY, 0o600);
    folder.file("client-secret", CANARY, 0o600);
    folder.file("totp-ann", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 0o600);
    text.replace("/etc/synod", here).replace("/var/lib/synod", &format!("{here}/state"))
}

fn filled_in(text: &str) -> String {
    MINE.iter().fold(text.to_owned(), |text, (placeholder, mine)| text.replace(placeholder, mine))
}

/// The lines of the reference whose keys stand behind one of `marks`, without the mark.
fn uncommented(marks: &[&str]) -> String {
    let lines = REFERENCE.lines().filter_map(|line| {
        let text = line.trim_start();
        let indent = " ".repeat(line.len() - text.len());
        let key = text.trim_start_matches('#');
        let is_key = key.starts_with(|c: char| c == '-' || c.is_ascii_lowercase());
        let mark = text.strip_suffix(key).unwrap_or_default();
        (is_key && marks.contains(&mark)).then(|| indent + key)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_placeholder_of_the_example_is_named_as_one_and_nothing_else_is_wrong() {
    let folder = Folder::new();
    let faults = folder.faults(&moved(&folder, EXAMPLE));
    let lines: Vec<usize> = (1..)
        .zip(EXAMPLE.lines())
        .filter(|(_, line)| !line.trim_start().starts_with('#') && line.contains('<'))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(faults.len(), lines.len(), "{faults:#?}");
    assert!(lines.len() >= 4, "{lines:?}");
    for (fault, line) in faults.iter().zip(lines) {
        assert!(fault.starts_with(&format!("line {line}, ")), "{fault}");
        assert!(
            fault.contains(": this is still a placeholder. Replace the angle brackets"),
            "{fault}"
        );
        assert!(fault.contains("such as "), "{fault}");
    }
    let left = filled_in(EXAMPLE);
    assert!(!left.contains('<'), "a placeholder that no test fills in");
}

#[test]
fn the_example_filled_in_is_sound_and_begins_harmlessly() {
    let folder = Folder::new();
    let config = folder.load(&moved(&folder, &filled_in(EXAMPLE)));
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(config.read_only);
    let first = EXAMPLE.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(first, Some("read_only: true"));
}

#[test]
fn the_example_weakens_no_default() {
    let folder = Folder::new();
    let second = "  - user_id: \"@ben:example.org\"\n    role: admin\n";
    let example = moved(&folder, &filled_in(EXAMPLE)) + second;
    let sound = SOUND
        .replace("{ file: secret }", "{ file: admin-token }")
        .replace("{ env: TOKEN }", "{ file: password }")
        .replace("state: mine", "state: state");
    let [example, sound] = [example, sound + second].map(|yaml| folder.load(&yaml).unwrap());
    assert_eq!(format!("{example:#?}"), format!("{sound:#?}"));
    assert_eq!(example.policy.protection.operators, Stance::SecondPerson, "two are admins");
}

#[test]
fn a_placeholder_is_told_wherever_it_stands_and_a_pattern_is_none() {
    let folder = Folder::new();
    for (sound, broken) in [
        ("https://matrix.example.org", "https://<your-server>"),
        ("{ file: secret }", "{ file: <your-file> }"),
        ("state: mine", "state: <your-state>"),
        ("\"#admins:example.org\"", "\"<your-room-id>\""),
        ("role: admin", "role: <your-role>"),
    ] {
        let faults = folder.faults(&SOUND.replace(sound, broken));
        assert!(faults.iter().any(|fault| fault.contains("a placeholder")), "{faults:#?}");
    }
    let reason = "questions: { reason: '^(?<your_ticket>[A-Z]+)-[0-9]+<' }\n";
    folder.load(&format!("{SOUND}{reason}")).unwrap();
}

#[test]
fn the_reference_uncommented_is_exactly_what_holds_without_it() {
    let folder = Folder::new();
    let written = folder.load(&moved(&folder, &uncommented(&["#"])));
    let written = written.unwrap_or_else(|faults| panic!("{faults}"));
    let required = "\
homeserver:
  url: https://matrix.example.org
  admin_token: { file: /etc/synod/admin-token }
bot:
  user_id: \"@synod:example.org\"
  password: { file: /etc/synod/password }
state: /var/lib/synod
rooms: [\"#admins:example.org\"]
operators:
  - { user_id: \"@ann:example.org\", role: admin }
  - { user_id: \"@ben:example.org\", role: admin }
";
    let left_out = folder.load(&moved(&folder, required)).unwrap();
    assert_eq!(format!("{written:#?}"), format!("{left_out:#?}"));
    assert_eq!(written.differences(&left_out), []);
}

#[test]
fn the_reference_shows_every_key_and_no_other() {
    let folder = Folder::new();
    let all = moved(&folder, &uncommented(&["#", "##"]));
    let node = tree::parse(&all).unwrap_or_else(|fault| panic!("{fault}")).unwrap();
    let mut shown = BTreeSet::new();
    paths(&node.value, "", &mut shown);
    // Below this one stand names of accounts.
    shown.retain(|key| !key.starts_with("shell.operators."));
    let verbs = crate::pipeline::verbs();
    let around = Surroundings {
        base: folder.0.path(),
        environment: &|_| None,
        verbs: &verbs,
        may_lack_keys: false,
    };
    // A way to log in excludes the other; everything else can stand there at once.
    let sound = all.lines().filter(|line| !line.contains("access_token:"));
    // One-time passwords of everybody would take a seed for everybody.
    let sound = sound.collect::<Vec<_>>().join("\n").replace("totp: true", "totp: false");
    let reading = read::config(&sound, around);
    reading.config.unwrap_or_else(|faults| panic!("{faults:#?}"));
    // Every secret has both of these, and the reference says so once, in words.
    for source in ["`{ file: /path }`", "`{ env: NAME }`", "`{ credential: NAME }`"] {
        assert!(REFERENCE.contains(source), "{source}");
    }
    let of_a_secret = |key: &str| {
        let secrets = ["admin_token", "password", "access_token", "totp", "client_secret"];
        key.rsplit_once('.').is_some_and(|(secret, last)| {
            ["file", "env", "credential"].contains(&last)
                && secrets.iter().any(|one| secret.ends_with(one))
        })
    };
    let without = |keys: BTreeSet<String>| -> BTreeSet<String> {
        keys.into_iter().filter(|key| !of_a_secret(key)).collect()
    };
    assert_eq!(without(shown), without(reading.asked));
}

#[test]
fn every_key_of_the_reference_is_explained_above_it() {
    let lines: Vec<&str> = REFERENCE.lines().map(str::trim_start).collect();
    let is_prose = |line: &str| line.starts_with("# ");
    // What goes with the line above it: an id with its role, what is reached with what is not.
    let with_the_line_above =
        ["##not_on:", "#- user_id: \"@ben", "#role: admin", "#- \"#admins", "##root:"];
    for pair in lines.windows(2) {
        let (above, key) = (pair[0], pair[1]);
        if !key.starts_with('#') || is_prose(key) || key == "#" {
            continue;
        }
        let told = with_the_line_above.iter().any(|start| key.starts_with(start));
        assert!(is_prose(above) || told, "{key} has no word above it");
    }
}

/// The sound file with these sections in place of its own.
fn with_sections(sections: &str) -> String {
    let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let named: Vec<&str> = sections.lines().filter(is_key).collect();
    let mut kept = Vec::new();
    let mut keeps = true;
    for line in SOUND.lines() {
        if is_key(&line) {
            let key = line.split_once(':').map_or(line, |(key, _)| key);
            keeps = !named.iter().any(|named| named.starts_with(&format!("{key}:")));
        }
        if keeps {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n" + sections
}

#[test]
fn every_piece_of_a_config_in_the_book_is_sound() {
    let folder = Folder::new();
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut found = 0;
    for page in fs::read_dir(book).unwrap() {
        let path = page.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        for piece in page.split("```yaml\n").skip(1) {
            let piece = piece.split("```").next().unwrap();
            let yaml = moved(&folder, &with_sections(piece));
            folder.file("synod.yaml", &yaml, 0o644);
            let loaded = Config::load_with(
                &folder.0.path().join("synod.yaml"),
                &crate::pipeline::verbs(),
                &|_| Some(CANARY.into()),
            );
            if let Err(faults) = loaded {
                panic!("{}: {faults}\n{yaml}", path.display());
            }
            found += 1;
        }
    }
    assert!(found >= 8, "only {found} pieces");
}

fn paths(value: &tree::Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        tree::Value::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", entry.key);
                paths(&entry.node.value, &path, found);
                found.insert(path);
            }
        }
        tree::Value::List(items) => {
            for item in items {
                paths(&item.value, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}
