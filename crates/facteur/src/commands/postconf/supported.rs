//! What is built in: `postconf -a`, `-A`, `-l`, `-m`, `-b`, `-t`, `-T`.

use conf::Usage;
use mta::bounce::template::{Kind, Templates, time_in_unit};

use super::options::{Options, Subject, text_to_path};
use super::{Fatal, Site, show_main, warn};

pub(super) fn show(options: &Options, out: &mut String) -> Result<(), Fatal> {
    match options.subject {
        Subject::ServerLogins => lines(out, &["cyrus", "dovecot"]),
        Subject::ClientLogins => lines(out, &["cyrus"]),
        Subject::Locks => lines(out, &["flock", "fcntl", "dotlock"]),
        Subject::Tables => {
            let site = Site::read(options)?;
            let mut usage = Usage::of(&site.view, &site.master);
            usage.mistakes.clear();
            show_main::usable(&site, &usage, options)?;
            let mut names: Vec<_> = tables::types::TYPES.iter().map(|table| table.name).collect();
            names.sort_unstable();
            lines(out, &names);
        }
        Subject::Tls => tls(&options.mode, out)?,
        _ => notices(options, out)?,
    }
    Ok(())
}

fn lines(out: &mut String, words: &[&str]) {
    for word in words {
        out.push_str(word);
        out.push('\n');
    }
}

fn tls(mode: &str, out: &mut String) -> Result<(), Fatal> {
    match mode {
        // There is one library, built in: what is compiled is what runs.
        "compile-version" | "run-version" => lines(out, &["rustls with aws-lc"]),
        "public-key-algorithms" => lines(out, &["ecdsa", "ed25519", "rsa"]),
        _ => return Err(Fatal(format!("unknown 'postconf -T' mode: {mode}"))),
    }
    Ok(())
}

/// The texts of notices, from `bounce_template_file`, the file named, or (for an empty name) as built in.
fn notices(options: &Options, out: &mut String) -> Result<(), Fatal> {
    let site = Site::read(options)?;
    let file = match options.arguments.as_slice() {
        [] => site.view.get("bounce_template_file").into(),
        [file] => text_to_path(file),
        _ => return Err(Fatal("specify at most one template file".into())),
    };
    let mut templates = Templates::default();
    if !file.as_os_str().is_empty() {
        let name = file.display().to_string();
        let bytes = std::fs::read(&file).map_err(|error| format!("open {name}: {error}"))?;
        let (read, mistakes) = Templates::default().parse(&String::from_utf8_lossy(&bytes), &name);
        mistakes.iter().for_each(warn);
        templates = read;
    }
    for (name, kind) in [
        ("failure", Kind::Failure),
        ("delay", Kind::Delay),
        ("success", Kind::Success),
        ("verify", Kind::Verify),
    ] {
        let template = templates.of(kind);
        if options.subject == Subject::Templates {
            let postmaster = template.postmaster_subject.as_ref();
            let postmaster =
                postmaster.map(|subject| format!("Postmaster-Subject: {subject}\n")).unwrap_or_default();
            out.push_str(&format!(
                "{name}_template = <<EOF\nCharset: {}\nFrom: {}\nSubject: {}\n{postmaster}\n{}EOF\n\n",
                template.charset, template.from, template.subject, template.text
            ));
        } else {
            out.push_str(&format!(
                "expanded_{name}_text = <<EOF\n{}EOF\n\n",
                expanded(&site, &template.text)?
            ));
        }
    }
    Ok(())
}

/// A text with its `$name`s replaced; times are also there in other units, as `$delay_warning_time_hours`.
fn expanded(site: &Site, text: &str) -> Result<String, Fatal> {
    struct Names<'s>(&'s conf::View);
    impl conf::Scope for Names<'_> {
        fn value(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
            let seconds = |parameter: &str| self.0.time(parameter).map(|time| time.as_secs());
            match time_in_unit(name, seconds) {
                Some(text) => Some(text.into()),
                None => self.0.unexpanded(name),
            }
        }
    }
    conf::expand(text, &Names(&site.view)).map_err(|error| Fatal(error.to_string()))
}
