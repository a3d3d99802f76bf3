use super::{
    super::{Mark, tests::config},
    *,
};

/// Keys of `@ann:x`: a master key `M`, a self-signing key `S` signed by it, devices `A` signed and
/// `B` not.
fn answer() -> Value {
    let signed_by = |key: &str| json!({ "@ann:x": { format!("ed25519:{key}"): "..." } });
    json!({
        "master_keys": { "@ann:x": { "keys": { "ed25519:M": "M" } } },
        "self_signing_keys": {
            "@ann:x": { "keys": { "ed25519:S": "S" }, "signatures": signed_by("M") },
        },
        "device_keys": {
            "@ann:x": { "A": { "signatures": signed_by("S") }, "B": { "signatures": signed_by("B") } },
        },
    })
}

fn operator(answer: &Value, pinned: Option<&str>) -> Finding {
    let config = config(Encryption::Required);
    let mut operator = config.operators[0].clone();
    operator.master_key = pinned.map(str::to_owned);
    operator_keys(&config, &operator, &Keys::of(answer, &operator.user_id))
}

#[test]
fn an_operator_is_told_with_key_and_devices() {
    let found = operator(&answer(), None);
    assert_eq!(found.mark, Mark::Warn);
    assert!(
        found.what.contains("the master key M (not configured), 1 signed device and 1 unsigned")
    );
    let mut sound = answer();
    sound["device_keys"]["@ann:x"].as_object_mut().unwrap().remove("B");
    assert_eq!(operator(&sound, Some("M")).mark, Mark::Ok);
}

#[test]
fn an_operator_with_another_key_or_none_is_not_believed() {
    let other = operator(&answer(), Some("N"));
    assert_eq!(other.mark, Mark::Bad);
    assert!(other.to_string().contains("shows the master key M, not the configured one"));
    let none = operator(&json!({}), None);
    assert_eq!(none.mark, Mark::Bad);
    assert!(none.to_string().contains("Ask them to set up secure backup"));
    let silent = operator(&json!({ "failures": { "x": {} } }), None);
    assert_eq!(silent.mark, Mark::Warn);
    assert!(silent.what.contains("does not answer"));
}

#[test]
fn the_key_that_an_entry_needs_is_shown_and_is_bad() {
    let of = |answer: &Value, change: fn(&mut Config)| {
        let mut config = config(Encryption::Optional);
        change(&mut config);
        let operator = &config.operators[0];
        operator_keys(&config, operator, &Keys::of(answer, &operator.user_id))
    };
    let verified = |config: &mut Config| config.trust = TrustSource::Verified;
    let elsewhere = |config: &mut Config| {
        config.bot.user_id = ruma::user_id!("@synod:here").to_owned();
    };
    for change in [verified as fn(&mut Config), elsewhere] {
        let needed = of(&answer(), change);
        assert_eq!(needed.mark, Mark::Bad);
        assert!(needed.to_string().contains("has the master key M, and their entry"), "{needed}");
        assert_eq!(of(&json!({}), change).mark, Mark::Bad);
        assert_eq!(of(&json!({ "failures": { "x": {} } }), change).mark, Mark::Bad);
    }
    assert_eq!(of(&json!({}), |_| ()).mark, Mark::Warn);
}

#[test]
fn a_device_counts_only_by_a_chain_from_the_master_key() {
    let mut cut = answer();
    cut["self_signing_keys"]["@ann:x"]["signatures"] = json!({ "@ann:x": { "ed25519:N": "..." } });
    let found = operator(&cut, None);
    assert_eq!(found.mark, Mark::Bad);
    assert!(found.what.contains("0 signed devices and 2 unsigned"), "{}", found.what);
}

#[test]
fn the_bot_itself() {
    let config = config(Encryption::Required);
    let answer = answer();
    let told = |answer: &Value, device, has_run, recovery_key| {
        let own = OwnState { device, has_run, recovery_key, replaced: false };
        // The keys of `@ann:x` serve as the bot's: whose they are plays no part here.
        let finding = own_keys(&config, &own, &Keys { answer, user: "@ann:x" });
        (finding.mark, finding.to_string())
    };
    assert_eq!(told(&answer, Some("A"), true, true).0, Mark::Ok);
    assert_eq!(told(&answer, Some("B"), true, true).0, Mark::Warn);
    let lost = told(&answer, Some("B"), true, false);
    assert_eq!(lost.0, Mark::Bad);
    assert!(lost.1.contains("Put the bot's recovery key into"));
    let own = OwnState { device: Some("B"), has_run: true, recovery_key: true, replaced: true };
    let replaced = own_keys(&config, &own, &Keys { answer: &answer, user: "@ann:x" });
    assert_eq!(replaced.mark, Mark::Bad);
    assert!(replaced.to_string().contains("of the new keys"), "{replaced}");
    assert_eq!(told(&answer, None, false, true).0, Mark::Ok);
    assert_eq!(told(&answer, None, false, false).0, Mark::Bad);
    assert_eq!(told(&json!({}), None, false, false).0, Mark::Ok);
    assert_eq!(told(&json!({}), Some("A"), true, true).0, Mark::Bad);
}
