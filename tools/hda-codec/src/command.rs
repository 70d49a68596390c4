//! `cargo xtask codec`.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{Report, Summary as Overview, dot, dump_files, graph, json_line, picture, table};

/// The user's input can't be used. The message fits on one line; the exit code is 2.
#[derive(Debug)]
pub struct BadInput(String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// From so many files on, progress is shown.
const MANY_FILES: usize = 20;

/// What the driver makes of a real codec, by the text that Linux prints of it.
///
/// Linux has it in /proc/asound/card*/codec#*. The driver is brought up on a model that answers as that codec does; no
/// hardware is needed, nor touched.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Codec {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "Examples:
  cargo xtask codec routes /proc/asound/card0/codec#0
  cargo xtask codec show --svg codec.svg FILE
  cargo xtask codec routes --json ../shared/codecs > routes.json
  cargo xtask codec summary ../shared/codecs

Exit codes: 0 all files were read, 1 one or more are no dumps (the others are told all the same), 2 the usage is wrong.";

#[derive(clap::Subcommand)]
enum What {
    Routes(Routes),
    Show(Show),
    Summary(Summary),
}

/// Print the outputs and inputs that the driver finds, with their names and the ways that it takes.
#[derive(clap::Args)]
struct Routes {
    /// Dumps; a folder stands for the *.txt in it, - for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// For programs: for each file an object on one line
    #[arg(long)]
    json: bool,
}

/// Show the graph: all widgets with what they hear, and the routes through them.
#[derive(clap::Args)]
struct Show {
    /// Dumps; a folder stands for the *.txt in it, - for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// For Graphviz: `cargo xtask codec show --dot FILE | dot -Tsvg`
    #[arg(long, conflicts_with = "svg")]
    dot: bool,

    /// Draw the one FILE as a picture into this file; - is the standard output
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
}

/// Sum up many codecs, as Markdown: a table by vendor, and every connected pin that has no route, with the reason.
#[derive(clap::Args)]
struct Summary {
    /// Dumps; a folder stands for the *.txt in it, - for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Codec {
    /// Runs the command.
    ///
    /// # Errors
    /// The usage is wrong, or a file can't be written.
    pub fn execute(self) -> Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        let result = match self.what {
            What::Routes(routes) => routes.write(&mut out),
            What::Show(show) => show.write(&mut out),
            What::Summary(summary) => summary.write(&mut out),
        };
        let result = result.and_then(|code| out.flush().map(|()| code).map_err(Into::into));
        match result {
            // The reader has enough: `| head`.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            result => result,
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl Routes {
    fn write(&self, out: &mut dyn Write) -> Result<ExitCode> {
        for_each(&self.files, |report| {
            if self.json {
                writeln!(out, "{}", json_line(report)?)?;
            } else {
                writeln!(out, "{}", table(report))?;
            }
            Ok(())
        })
    }
}

impl Show {
    fn write(&self, out: &mut dyn Write) -> Result<ExitCode> {
        if self.svg.is_some() && dump_files(&self.files).len() != 1 {
            return Err(BadInput("--svg draws one file: give one".to_owned()).into());
        }
        for_each(&self.files, |report| {
            let specimen = match &report.specimen {
                Ok(specimen) if self.dot || self.svg.is_some() => specimen,
                // An error must not get among graphs.
                Err(_) if self.dot || self.svg.is_some() => {
                    eprint!("{}", graph(report));
                    return Ok(());
                }
                _ => return Ok(writeln!(out, "{}", graph(report))?),
            };
            let Some(path) = &self.svg else {
                return Ok(write!(out, "{}", dot(&report.file, specimen))?);
            };
            let svg = picture(&report.file, specimen);
            if path.as_os_str() == "-" {
                return Ok(write!(out, "{svg}")?);
            }
            std::fs::write(path, svg).with_context(|| format!("can't write {}", path.display()))?;
            Ok(writeln!(out, "drawn: {}", path.display())?)
        })
    }
}

impl Summary {
    fn write(&self, out: &mut dyn Write) -> Result<ExitCode> {
        let mut summary = Overview::default();
        let code = for_each(&self.files, |report| {
            summary.add(report);
            Ok(())
        })?;
        write!(out, "{}", summary.markdown())?;
        Ok(code)
    }
}

/// Shows each file to `see`, and counts those that are no dumps; the exit code says whether there were any.
fn for_each(paths: &[PathBuf], mut see: impl FnMut(&Report) -> Result<()>) -> Result<ExitCode> {
    let files = dump_files(paths);
    let is_shown = files.len() >= MANY_FILES && io::stderr().is_terminal();
    let bar = if is_shown { ProgressBar::new(files.len() as u64) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("file {pos} of {len} {wide_bar}") {
        bar.set_style(style);
    }
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let report = Report::of(file);
        if report.specimen.is_err() {
            code = ExitCode::FAILURE;
        }
        bar.suspend(|| see(&report))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    const GOOD: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/codecs/alc269-acer-timeline-3810t.0.txt");

    /// The output, and whether all was well.
    fn run(files: &[&str], json: bool) -> (String, bool) {
        let files = files.iter().map(PathBuf::from).collect();
        let mut out = Vec::new();
        let code = Routes { files, json }.write(&mut out).expect("written");
        (String::from_utf8(out).expect("text"), code == ExitCode::SUCCESS)
    }

    #[test]
    fn a_bad_file_among_good_ones_is_told_and_so_are_they() {
        let scratch = tempfile::tempdir().expect("a folder");
        let bad = scratch.path().join("bad.txt");
        std::fs::write(&bad, [0xff; 100]).expect("written");
        let bad = bad.display().to_string();
        for json in [true, false] {
            let (text, is_well) = run(&[GOOD, &bad, "/nowhere/x.txt", GOOD], json);
            assert!(!is_well);
            assert!(text.contains("line 1: "), "{text}");
            if json {
                assert_eq!(text.lines().count(), 4);
                let errors: Vec<bool> = text.lines().map(|line| !line.ends_with("\"error\":null}")).collect();
                assert_eq!(errors, [false, true, true, false]);
            }
            assert_eq!(text.matches("Realtek ALC269").count(), 2, "{text}");
        }
    }

    #[test]
    fn a_picture_goes_where_it_is_wanted() {
        let scratch = tempfile::tempdir().expect("a folder");
        let show = |files: &[&str], svg: PathBuf| {
            let files = files.iter().map(PathBuf::from).collect();
            let mut out = Vec::new();
            let result = Show { files, dot: false, svg: Some(svg) }.write(&mut out);
            (String::from_utf8(out).expect("text"), result)
        };
        let (text, result) = show(&[GOOD], scratch.path().join("x.svg"));
        assert!(result.is_ok() && text.starts_with("drawn: "), "{text}");
        let drawn = std::fs::read_to_string(scratch.path().join("x.svg")).expect("drawn");
        assert!(drawn.starts_with("<svg "));
        assert_eq!(show(&[GOOD], "-".into()).0, drawn);
        let (_, result) = show(&[GOOD, GOOD], "-".into());
        assert!(result.expect_err("two files").is::<BadInput>());
        let (text, result) = show(&["/nowhere/x.txt"], "-".into());
        assert!(text.is_empty() && result.expect("told") == ExitCode::FAILURE);
    }

    #[test]
    fn good_files_are_a_success() {
        let (text, is_well) = run(&[GOOD], true);
        assert!(is_well && text.ends_with("\"error\":null}\n"), "{text}");
    }
}
