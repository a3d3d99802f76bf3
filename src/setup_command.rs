//! `synod setup` as it is typed: its options, and the terminal at which it asks.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use console::Term;
use secrecy::SecretString;
use synod::{
    config::{Answers, Faults, Named, Rank},
    finding::Finding,
    pipeline,
    setup::{Ready, Stopped, Terminal, setup},
};

use crate::{FOUND, USAGE, print};

/// The options, each of which may stand in the file of answers too.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The configuration; created if missing, otherwise left as it is.
    #[arg(long, value_name = "FILE", default_value = "/etc/synod/synod.yaml")]
    config: PathBuf,
    /// A YAML file with answers; options given here override it.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// The homeserver: its name, such as example.org, or its address.
    #[arg(long, value_name = "ADDRESS")]
    homeserver: Option<String>,
    /// The address of its Admin API, if different.
    #[arg(long, value_name = "ADDRESS")]
    admin_url: Option<String>,
    /// Allow plain http, on a private network that nobody else can read.
    #[arg(long)]
    allow_plain_http: bool,
    /// A server admin, whose login is used once and then logged out.
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    /// The file with that admin's password; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    password_file: Option<PathBuf>,
    /// The file with an access token of that admin, instead of a password; - is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The bot's account; synod by default.
    #[arg(long, value_name = "NAME")]
    bot: Option<String>,
    /// The account of the admin token, used only for that; synod-admin by default.
    #[arg(long, value_name = "NAME")]
    admin_account: Option<String>,
    /// An admin, who may use every command; can be repeated.
    #[arg(long = "admin", value_name = "NAME")]
    admins: Vec<String>,
    /// A moderator; can be repeated.
    #[arg(long = "moderator", value_name = "NAME")]
    moderators: Vec<String>,
    /// A viewer, who may only look; can be repeated.
    #[arg(long = "viewer", value_name = "NAME")]
    viewers: Vec<String>,
    /// The folder for all data of the bot; /var/lib/synod by default.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// How the bot is started here, for the instructions at the end.
    #[arg(long, value_name = "COMMAND", hide = true)]
    next: Option<String>,
}

impl Setup {
    /// What is said by the options and by the file that they name.
    fn answers(&self) -> Result<Answers, Faults> {
        let file = self.answers.as_deref().map(Answers::load).transpose()?.unwrap_or_default();
        let named = [
            (&self.admins, Rank::Admin),
            (&self.moderators, Rank::Moderator),
            (&self.viewers, Rank::Viewer),
        ];
        let operators: Vec<Named> = named
            .into_iter()
            .flat_map(|(names, rank)| names.iter().map(move |name| (name.clone(), rank)))
            .map(|(user, rank)| Named { user, rank, master_key: None })
            .collect();
        let has_secret = self.password_file.is_some() || self.token_file.is_some();
        let (password_file, token_file) = if has_secret {
            (self.password_file.clone(), self.token_file.clone())
        } else {
            (file.password_file, file.token_file)
        };
        Ok(Answers {
            homeserver: self.homeserver.clone().or(file.homeserver),
            admin_url: self.admin_url.clone().or(file.admin_url),
            allow_plain_http: self.allow_plain_http || file.allow_plain_http,
            login: self.login.clone().or(file.login),
            password_file,
            token_file,
            bot: self.bot.clone().or(file.bot),
            admin_account: self.admin_account.clone().or(file.admin_account),
            operators: if operators.is_empty() { file.operators } else { operators },
            state: self.state.clone().or(file.state),
        })
    }
}

/// Sets everything up, and says what is to be done next.
pub(crate) fn run(options: &Setup) -> ExitCode {
    let stopped = match ended(options) {
        Ok(Ok(ready)) => return next(options, &ready),
        Ok(Err(stopped)) => stopped,
        Err(error) => {
            let _ = writeln!(io::stderr(), "synod: cannot start threads: {error}");
            return ExitCode::from(FOUND);
        }
    };
    // Where stderr is gone there is nobody to tell; the exit code still says it.
    match stopped {
        Stopped::By(finding) => {
            let _ = writeln!(io::stderr(), "{finding}");
            ExitCode::from(FOUND)
        }
        Stopped::Faults(faults) => {
            let _ = writeln!(io::stderr(), "{faults}");
            ExitCode::from(USAGE)
        }
    }
}

fn ended(options: &Setup) -> io::Result<Result<Ready, Stopped>> {
    let answers = match options.answers() {
        Ok(answers) => answers,
        Err(faults) => return Ok(Err(Stopped::Faults(faults))),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (verbs, mut machine) = (pipeline::verbs(), Machine::new());
    let setup = Box::pin(setup(&options.config, &answers, &verbs, &mut machine));
    Ok(runtime.block_on(setup))
}

fn next(options: &Setup, ready: &Ready) -> ExitCode {
    let Ready { state, recovery_key, read_only, is_well } = ready;
    let mut steps = Vec::new();
    if !is_well {
        steps.push("Fix what is BAD above, then run `synod check`.".to_owned());
    }
    steps.extend(recovery_key.as_ref().map(|file| {
        format!(
            "Keep a copy of {}; with it you can recover the bot if its state is lost.",
            file.display()
        )
    }));
    let start = if let Some(command) = &options.next {
        steps.push("Start it:".to_owned());
        command.clone()
    } else {
        steps.push(format!("Start it, as the user that owns {}:", state.display()));
        format!("synod run --config {}", options.config.display())
    };
    steps
        .push("Accept the invitation to its room in your client, and type !help there.".to_owned());
    if *read_only {
        let seen = "When you are happy with its answers, set read_only: false and restart it.";
        steps.push(seen.to_owned());
    }
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "\nNext:");
    for (number, step) in (1..).zip(steps) {
        let _ = writeln!(out, "  {number}. {step}");
        if step.starts_with("Start it") {
            let _ = writeln!(out, "     {start}");
        }
    }
    ExitCode::from(if *is_well { 0 } else { FOUND })
}

/// The terminal of whoever started it, or what stands in its place.
struct Machine {
    can_ask: bool,
}

impl Machine {
    fn new() -> Self {
        Self { can_ask: io::stdin().is_terminal() && io::stderr().is_terminal() }
    }
}

impl Terminal for Machine {
    fn tell(&mut self, finding: &Finding) {
        print(finding);
    }

    fn print(&mut self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    fn can_ask(&self) -> bool {
        self.can_ask
    }

    fn ask(&mut self, question: &str) -> Option<String> {
        write!(io::stderr(), "{question}: ").ok()?;
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim().to_owned())
    }

    fn ask_secret(&mut self, question: &str) -> Option<SecretString> {
        write!(io::stderr(), "{question} (input is hidden): ").ok()?;
        Term::stderr().read_secure_line().ok().map(SecretString::from)
    }
}
