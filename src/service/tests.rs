//! What is told, and when.

use super::*;

#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Manager for Heard {
    fn tell(&self, what: &[NotifyState<'_>]) -> io::Result<()> {
        let known = what.iter().filter(|one| !matches!(one, NotifyState::MonotonicUsec(_)));
        let words: Vec<_> = known.map(ToString::to_string).collect();
        self.0.lock().unwrap().push(words.join(" "));
        Ok(())
    }
}

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn service() -> (Service, Heard) {
    let heard = Heard::default();
    (Service::told_to(Box::new(heard.clone())), heard)
}

const IN_TOUCH: &str = "STATUS=Connected to the homeserver";
const SILENT: &str = "STATUS=Waiting for the homeserver to answer";

#[test]
fn the_start_is_over_when_the_homeserver_answers_and_only_once() {
    let (service, heard) = service();
    service.look(Instant::now(), false);
    assert_eq!(heard.take(), [""; 0], "nothing has answered");
    for _ in 0..3 {
        service.answers();
    }
    assert_eq!(heard.take(), [format!("READY=1 {IN_TOUCH}")]);
    service.fails();
    service.fails();
    service.answers();
    assert_eq!(heard.take(), [SILENT, IN_TOUCH]);
}

#[test]
fn a_start_without_a_homeserver_is_over_after_a_minute() {
    let (service, heard) = service();
    service.fails();
    let now = Instant::now();
    service.look(now + Duration::from_secs(58), false);
    assert_eq!(heard.take(), [SILENT]);
    service.look(now + PATIENCE, false);
    service.look(now + PATIENCE * 2, false);
    assert_eq!(heard.take(), [format!("READY=1 {SILENT}")]);
    service.answers();
    assert_eq!(heard.take(), [IN_TOUCH]);
}

#[test]
fn the_watchdog_is_fed_while_the_loop_turns_and_no_longer() {
    let (service, heard) = service();
    let now = Instant::now();
    let later = now + Duration::from_hours(9);
    assert!(service.look(later, true), "nothing says how long a start may take");
    service.answers();
    service.within(Duration::from_secs(30));
    heard.take();
    assert!(service.look(now + Duration::from_secs(29), true));
    assert_eq!(heard.take(), ["WATCHDOG=1"]);
    assert!(!service.look(now + Duration::from_secs(40), true));
    assert_eq!(heard.take(), [""; 0], "it hangs");
    // An outage is no hang: attempts go on.
    service.fails();
    service.within(Duration::from_hours(9));
    assert!(service.look(now + Duration::from_secs(40), true));
    assert_eq!(heard.take(), [SILENT, "WATCHDOG=1"]);
    service.within(Duration::ZERO);
    service.without_limit();
    assert!(service.look(later, true));
    assert!(service.look(later, false));
    assert_eq!(heard.take(), ["WATCHDOG=1"], "where there is no watchdog it is not fed");
}

#[test]
fn a_reload_begins_and_ends_and_a_stop_is_told_once() {
    let (service, heard) = service();
    service.reloads();
    service.has_reloaded();
    assert_eq!(heard.take(), [""; 0], "before it is up it cannot reload");
    service.answers();
    service.has_reloaded();
    assert_eq!(heard.take(), [format!("READY=1 {IN_TOUCH}")]);
    service.reloads();
    service.reloads();
    service.answers();
    assert_eq!(heard.take(), ["RELOADING=1 STATUS=Reloading the configuration"]);
    service.has_reloaded();
    assert_eq!(heard.take(), [format!("READY=1 {IN_TOUCH}")]);
    service.stops();
    service.stops();
    service.answers();
    assert_eq!(heard.take(), ["STOPPING=1 STATUS=Stopping; running work is finished first"]);
}

#[test]
fn signs_of_life_are_left_while_the_loop_turns() {
    let (service, _heard) = service();
    let dir = tempfile::tempdir().unwrap();
    let now = Instant::now();
    service.look(now, false);
    assert!(!is_alive(dir.path()), "nobody has said where");
    service.lives_in(dir.path());
    let age = |age: Duration| {
        let sign = File::options().write(true).open(sign_in(dir.path())).unwrap();
        sign.set_modified(std::time::SystemTime::now() - age).unwrap();
    };
    service.look(now, false);
    assert!(is_alive(dir.path()));
    age(LIFE * 2);
    assert!(!is_alive(dir.path()), "that was long ago");
    service.within(Duration::ZERO);
    service.look(now + Duration::from_secs(1), false);
    assert!(!is_alive(dir.path()), "it hangs");
    service.within(LIFE);
    service.look(now + Duration::from_secs(1), false);
    assert!(is_alive(dir.path()));
    age(LIFE / 2);
    assert!(is_alive(dir.path()));
}

#[test]
fn the_pulse_tells_of_rounds_of_outages_and_of_a_loop_that_hangs() {
    let (service, _heard) = service();
    let pulse = |after: u64| service.state().pulse(Instant::now() + Duration::from_secs(after));
    let about = |time: Duration, seconds: u64| time.as_secs().abs_diff(seconds) <= 1;
    assert!(pulse(9).turns && about(pulse(9).age, 9), "{:?}", pulse(9));
    assert_eq!((pulse(9).silent, pulse(9).status), (None, "Starting"));
    service.answers();
    service.within(Duration::from_secs(40));
    assert!(about(pulse(30).age, 30) && pulse(30).turns, "{:?}", pulse(30));
    assert!(!pulse(60).turns, "it hangs: {:?}", pulse(60));
    assert_eq!(pulse(60).silent, None, "that is not the homeserver's fault");
    service.fails();
    service.fails();
    let silent = pulse(20).silent.unwrap();
    assert!(pulse(20).turns && about(silent, 20), "{silent:?}");
    service.answers();
    assert_eq!((pulse(20).silent, pulse(20).status), (None, "Connected to the homeserver"));
}
