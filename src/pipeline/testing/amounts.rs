//! What every verb says it amounts to, compared with what it would send, and what it sends against
//! what `raw` would say of the same request; and what the page of who acts says of whom the gate
//! hears, against whom it hears of.

use std::collections::BTreeSet;

use world::{Options, Synapse, Things};

use crate::{
    change::{Step, Subject},
    commands::{
        Action, Does, GROUPS,
        acting::{ACTING, Acting, Reaches},
        operations,
    },
    input::{Heard, hear},
    operators::{Policy, Rank},
    pipeline::{change::Plan, is_first_word, testing::Stage},
};

fn words(command: &str) -> Vec<String> {
    match hear(command, None, &is_first_word) {
        Heard::Command(command) => command.words,
        _ => panic!("{command} is not heard as a command"),
    }
}

/// What a command would do to each of its subjects with whom there is something to do.
async fn plans(stage: &Stage, action: &dyn Action) -> Vec<Plan> {
    let reader = stage.pipeline.reader.look();
    let mut plans = Vec::new();
    for subject in action.subjects(&reader).await.unwrap_or_default() {
        let Ok(seen) = action.snapshot(&subject, &reader).await else { continue };
        if let Ok(change) = action.change(&subject, &seen) {
            plans.push(Plan { subject, seen, change });
        }
    }
    plans
}

/// The same request by its path.
fn by_path(stage: &Stage, step: &Step) -> Option<Box<dyn Action>> {
    let [root, _, parts @ ..] = step.path.parts() else { return None };
    let of_clients = root == "_matrix";
    // The sessions of the account of the admin token, which it would be by its path, are left alone.
    if of_clients && parts.last().is_some_and(|part| part == "logout") {
        return None;
    }
    let part = |part: &String| part.replace('#', "%23").replace('/', "%2F");
    let path = parts.iter().map(part).collect::<Vec<_>>().join("/");
    // A slot stands for a secret as it would be typed.
    let body = step.body.to_string().replace(r#"{"$secret":"password"}"#, r#""hunter2""#);
    let method = step.method.as_str().to_lowercase();
    let (raw, path) = if of_clients {
        (&["matrix", "raw"][..], format!("client/{path}"))
    } else {
        (&["raw"][..], path)
    };
    let words = raw.iter().copied().chain([path.as_str(), "-m", &method, "-d", &body]);
    let words: Vec<String> = words.map(str::to_owned).collect();
    stage.pipeline.executor.action(&words).map(|(action, _)| action)
}

/// How the requests of one plan weigh by their paths, where the dearest of them weighs less than by the
/// verb.
fn lighter(raw: &[Box<dyn Action>], action: &dyn Action) -> Vec<String> {
    let mut faults = Vec::new();
    let power = raw.iter().map(|raw| raw.power()).max_by_key(|power| Rank::with(*power));
    if power.is_some_and(|power| Rank::with(power) < Rank::with(action.power())) {
        faults.push(format!("takes only {power:?} by its path"));
    }
    let class = raw.iter().map(|raw| raw.class(1)).max();
    if class.is_some_and(|class| class < action.class(1)) {
        faults.push(format!("is only {class:?} by its path"));
    }
    faults
}

/// What of the work of a request its path does not say.
fn unsaid_by_path(raw: &dyn Action, done: &[&str]) -> Option<String> {
    let said = raw.amounts_to();
    let unsaid: Vec<_> = done.iter().filter(|verb| !said.contains(verb)).collect();
    (!unsaid.is_empty()).then(|| format!("does not amount to {unsaid:?} by its path"))
}

/// Holds an example against what it would send: what is wrong with it, or `None` where it sends
/// nothing.
async fn held(stage: &Stage, example: &str, things: &Things) -> Option<Vec<String>> {
    let (action, options) = stage.pipeline.executor.action(&words(&things.typed(example)))?;
    let plans = plans(stage, action.as_ref()).await;
    if plans.is_empty() {
        return None;
    }
    let (mut done, mut faults) = (BTreeSet::new(), Vec::new());
    for plan in &plans {
        let mut by_paths = Vec::new();
        for step in &plan.change.steps {
            let verbs = operations::verbs(step, &plan.seen);
            if verbs.is_empty() {
                faults.push(format!("does what nobody knows: {step:?}"));
            }
            // What takes more because there are several is one at a time by its path, and what
            // answers with a secret is not asked for so.
            let several = ["--regex", "--also", "deactivate-regex", "purge-empty"];
            if !several.iter().any(|word| example.contains(word))
                && let Some(raw) = by_path(stage, step)
            {
                faults.extend(unsaid_by_path(raw.as_ref(), &verbs));
                by_paths.push(raw);
            }
            done.extend(verbs);
        }
        faults.extend(lighter(&by_paths, action.as_ref()));
    }
    let own = options.verb.as_str();
    let said: BTreeSet<&str> = action.amounts_to().into_iter().collect();
    let unsaid: Vec<_> =
        done.iter().filter(|verb| **verb != own && !said.contains(*verb)).collect();
    if !unsaid.is_empty() {
        faults.push(format!("does not say that it amounts to {unsaid:?}"));
    }
    let more: Vec<_> = said.iter().filter(|verb| !done.contains(*verb)).collect();
    if !more.is_empty() {
        faults.push(format!("says more than it sends: {more:?}"));
    }
    Some(faults.into_iter().map(|fault| format!("{example} {fault}")).collect())
}

/// Of whom the gate hears where this is really done; `None` where there is nothing to do.
async fn reached(stage: &Stage, acting: &Acting, things: &Things) -> Option<Vec<Reaches>> {
    let (action, _) = stage.pipeline.executor.action(&words(&things.typed(acting.example)))?;
    let plans = plans(stage, action.as_ref()).await;
    let heard = plans.iter().map(|plan| action.reaches(&plan.subject, &plan.seen));
    let kinds = heard.map(|all| match all.as_slice() {
        [] => Reaches::Nobody,
        all if all.iter().all(|one| matches!(one, Subject::Room(_))) => Reaches::Rooms,
        [Subject::User(_)] => Reaches::Account,
        all if all.iter().all(|one| matches!(one, Subject::User(_))) => Reaches::Named,
        other => panic!("{}: the page has no word for {other:?}", acting.example),
    });
    let kinds: Vec<Reaches> = kinds.collect();
    (!kinds.is_empty()).then_some(kinds)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_says_what_it_amounts_to_and_a_path_says_no_less() {
    let synapse = Synapse::start(Options::default()).await.unwrap();
    let eve = synapse.register("amounts-eve", "correct horse", false, "eve").await.unwrap();
    let things = Things::of(&synapse, eve).await.unwrap();
    let api = synapse.admin();
    let all = || {
        let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(|v| (group.words(v), v)));
        verbs.filter(|(name, verb)| verb.does != Does::Look && !name.ends_with("raw"))
    };
    let mut left: BTreeSet<String> = all().map(|(name, _)| name).collect();
    let mut faults = BTreeSet::new();
    let mut unheard: BTreeSet<&str> = ACTING.iter().map(|acting| acting.example).collect();
    for restrained in [false, true] {
        if restrained {
            things.restrain(&api).await.unwrap();
        }
        let stage = Stage::with(Policy::default(), &synapse.url(), api.token());
        for (name, verb) in all() {
            for example in verb.examples {
                if let Some(found) = held(&stage, example, &things).await {
                    left.remove(&name);
                    faults.extend(found);
                }
            }
        }
        for acting in ACTING {
            if let Some(kinds) = reached(&stage, acting, &things).await {
                unheard.remove(acting.example);
                if acting.reaches != Reaches::Named
                    && kinds.iter().any(|kind| *kind != acting.reaches)
                {
                    let said = acting.reaches;
                    faults.insert(format!("{} reaches {kinds:?}, not {said:?}", acting.example));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.into_iter().collect::<Vec<_>>().join("\n"));
    // In these rooms the account of the admin token has no power: what it reaches where it has some is seen
    // where another is made to act in its place.
    let heard = |example: &str| !unheard.contains(example);
    let others = |example: &str| {
        let longer = ACTING.iter().map(|acting| acting.example);
        longer.filter(|other| *other != example && other.starts_with(example)).any(heard)
    };
    let unheard: Vec<&str> = unheard.iter().copied().filter(|example| !others(example)).collect();
    let unheld: Vec<String> = left.into_iter().collect();
    assert!(unheld.is_empty(), "nothing was held against these: {unheld:?}");
    assert!(unheard.is_empty(), "nobody saw whom these reach: {unheard:?}");
}
