//! The console as a conversation: one line one question, with history, completion and help. It knows no question itself.

use anyhow::Context as _;
use clap::Command;
use rustyline::{
    CompletionType, Config, Context, Editor, Helper,
    completion::{Completer, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::Validator,
};
use std::{
    env,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Lines that are remembered: some weeks of one person.
const HISTORY: usize = 1_000;
/// What a prompt shows; with colours it is bold.
const PROMPT: &str = "isochron> ";

/// Of what a verb's name is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Backups,
    Planes,
    Schedules,
}

impl Names {
    /// What stands behind a verb.
    fn behind(verb: &str) -> &'static [Self] {
        match verb {
            "show" | "why" | "watch" | "timeline" | "report" | "verify" | "restore" | "cancel" | "diagnose" => {
                &[Self::Backups]
            }
            "check" | "delete" => &[Self::Backups, Self::Schedules],
            "drain" | "release" => &[Self::Planes],
            "schedules" => &[Self::Schedules],
            _ => &[],
        }
    }
}

/// Where history is kept between sessions; `None`: nowhere.
fn history_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("isochron/console_history"))
}

struct Help<F> {
    verbs: Command,
    names: F,
    colour: bool,
}

impl<F: Fn(Names) -> Vec<String>> Help<F> {
    /// What the word before the cursor may become: where it begins, and the whole words.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let begin = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = line.split_at(begin);
        let verb = before.split_whitespace().next();
        let Some(verb) = verb.filter(|verb| *verb != "help") else {
            let verbs = self.verbs.get_subcommands().map(|verb| verb.get_name().to_owned());
            let more = ["help", "exit"].map(str::to_owned).into_iter().filter(|_| verb.is_none());
            return (begin, verbs.chain(more).filter(|verb| verb.starts_with(word)).collect());
        };
        // Of a verb that has verbs of its own, the one that was written.
        let mut command = self.verbs.find_subcommand(verb);
        if let Some(of) = command.filter(|of| of.has_subcommands()) {
            let Some(own) = before.split_whitespace().nth(1) else {
                let own = of.get_subcommands().map(|own| own.get_name().to_owned());
                return (begin, own.filter(|own| own.starts_with(word)).collect());
            };
            command = of.find_subcommand(own);
        }
        if word.starts_with('-') {
            let flags = command.into_iter().flat_map(Command::get_arguments);
            let flags = flags.filter_map(|flag| Some(format!("--{}", flag.get_long()?)));
            return (begin, flags.filter(|flag| flag.starts_with(word)).collect());
        }
        let names = Names::behind(verb).iter().flat_map(|kind| (self.names)(*kind));
        let fits = |name: &String| {
            name.starts_with(word) || name.split_once('/').is_some_and(|(_, short)| short.starts_with(word))
        };
        (begin, names.filter(fits).collect())
    }
}

impl<F: Fn(Names) -> Vec<String>> Completer for Help<F> {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (begin, found) = self.candidates(line.get(..at).unwrap_or_default());
        // One that is whole is followed by the next word.
        let only = found.len() == 1;
        let pair =
            |name: String| Pair { replacement: if only { format!("{name} ") } else { name.clone() }, display: name };
        Ok((begin, found.into_iter().map(pair).collect()))
    }
}

impl<F> Hinter for Help<F> {
    type Hint = String;
}

impl<F> Highlighter for Help<F> {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> std::borrow::Cow<'b, str> {
        match self.colour {
            true => format!("\u{1b}[1m{prompt}\u{1b}[0m").into(),
            false => prompt.into(),
        }
    }
}

impl<F> Validator for Help<F> {}
impl<F: Fn(Names) -> Vec<String>> Helper for Help<F> {}

/// Until the person ends it. `names` are asked for when a word is to be completed; `say` is given the words of a line.
///
/// # Errors
/// There is no terminal to speak at.
pub(crate) fn talk(
    verbs: Command,
    colour: bool,
    names: impl Fn(Names) -> Vec<String>,
    mut say: impl FnMut(Vec<String>),
) -> anyhow::Result<()> {
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .history_ignore_dups(true)?
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let mut editor: Editor<_, FileHistory> = Editor::with_config(config).context("no terminal")?;
    editor.set_helper(Some(Help { verbs, names, colour }));
    let history = history_file(|name| env::var(name).ok());
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    println!("help lists what can be asked, Tab completes, Ctrl-D or exit ends it.");
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("the terminal"),
        };
        match shell_words::split(&line) {
            Ok(words) if words.is_empty() => {}
            Ok(words) if words == ["exit"] || words == ["quit"] => break,
            Ok(words) => say(words),
            Err(error) => eprintln!("coordinator: {error}"),
        }
    }
    if let Some(error) = history.and_then(|file| keep(&mut editor, &file).err()) {
        eprintln!("coordinator: history is not kept: {error:#}");
    }
    Ok(())
}

/// Where only its owner reads it.
fn keep<H: Helper>(editor: &mut Editor<H, FileHistory>, file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().context("it has no folder")?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    editor.save_history(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn a_word_becomes_a_verb_a_flag_or_a_name() {
        let verbs = Command::new("").subcommands([
            Command::new("show"),
            Command::new("status"),
            Command::new("drain").args([Arg::new("for").long("for"), Arg::new("all").long("all")]),
            Command::new("planes"),
            Command::new("restore").subcommand(Command::new("plan").arg(Arg::new("rate").long("rate"))),
        ]);
        let names = |kind| match kind {
            Names::Backups => vec!["a/nightly".to_owned(), "b/weekly".to_owned()],
            Names::Planes => vec!["az1".to_owned(), "az2".to_owned()],
            Names::Schedules => Vec::new(),
        };
        let help = Help { verbs, names, colour: false };
        let of = |line: &str| help.candidates(line).1.join(" ");
        assert_eq!(
            (of("s"), of("e"), of("help s")),
            ("show status".to_owned(), "exit".to_owned(), "show status".to_owned())
        );
        assert_eq!(
            (of("drain a"), of("drain az1 --f"), of("planes ")),
            ("az1 az2".to_owned(), "--for".to_owned(), String::new())
        );
        assert_eq!(help.candidates("show ni"), (5, vec!["a/nightly".to_owned()]), "by its name alone");
        assert_eq!(of("show b/"), "b/weekly");
        assert_eq!(
            (of("restore "), of("restore plan b"), of("restore plan x --r")),
            ("plan".into(), "b/weekly".into(), "--rate".into())
        );
    }

    #[test]
    fn history_is_kept_where_a_persons_state_is() {
        let of = |set: &'static [(&str, &str)]| {
            history_file(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.local/state/isochron/console_history".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Some("/s/isochron/console_history".into()));
        assert_eq!(of(&[("HOME", "")]), None);
    }
}
