//! bounce(5): the texts of notices, built in or from `bounce_template_file`.

use mail::Trouble;

/// Which notice a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Undeliverable.
    Failure,
    /// Delayed.
    Delay,
    /// Delivered, relayed or expanded.
    Success,
    /// Answer to `sendmail -bv`.
    Verify,
}

/// The template of one kind of notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `Charset:`.
    pub charset: String,
    /// `From:`; completed by address rewriting like any header.
    pub from: String,
    /// `Subject:`.
    pub subject: String,
    /// `Postmaster-Subject:`, for copies to the postmaster.
    pub postmaster_subject: Option<String>,
    /// The text with its `$name`s.
    pub text: String,
}

/// All four templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    failure: Template,
    delay: Template,
    success: Template,
    verify: Template,
}

impl Default for Templates {
    fn default() -> Self {
        let template = |subject: &str, postmaster: Option<&str>, text: &str| Template {
            charset: "us-ascii".into(),
            from: "Mail Delivery System <MAILER-DAEMON>".into(),
            subject: subject.into(),
            postmaster_subject: postmaster.map(Into::into),
            text: text.into(),
        };
        Templates {
            failure: template(
                "Undelivered Mail Returned to Sender",
                Some("Postmaster Copy: Undelivered Mail"),
                "This is the mail server $myhostname.\n\n\
                 Your message could not be delivered to the recipients named below, and the server\n\
                 has stopped trying. The reason stands beside each of them; the message, or its\n\
                 header, is attached.\n\n\
                 If you need help, forward this whole notice to <postmaster>.\n",
            ),
            delay: template(
                "Delayed Mail (still being retried)",
                Some("Postmaster Warning: Delayed Mail"),
                "This is the mail server $myhostname.\n\n\
                 YOUR MESSAGE IS ONLY LATE. THERE IS NO NEED TO SEND IT AGAIN.\n\n\
                 It has been waiting for more than $delay_warning_time_hours hour(s). The server goes on\n\
                 trying until the message is $maximal_queue_lifetime_days day(s) old.\n\n\
                 If you need help, forward this whole notice to <postmaster>.\n",
            ),
            success: template(
                "Successful Mail Delivery Report",
                None,
                "This is the mail server $myhostname.\n\n\
                 Your message reached the recipients named below. Where it was put into a mailbox\n\
                 you will hear no more; where it was passed on, another server may still write to\n\
                 you about it.\n",
            ),
            verify: template(
                "Mail Delivery Status Report",
                None,
                "This is the mail server $myhostname.\n\nHere is the delivery report that you asked for.\n",
            ),
        }
    }
}

impl Templates {
    /// The template of a kind.
    pub fn of(&self, kind: Kind) -> &Template {
        match kind {
            Kind::Failure => &self.failure,
            Kind::Delay => &self.delay,
            Kind::Success => &self.success,
            Kind::Verify => &self.verify,
        }
    }

    /// The built-in templates with the From header of `header_from_format = obsolete`.
    pub fn obsolete() -> Templates {
        let mut all = Templates::default();
        for template in [&mut all.failure, &mut all.delay, &mut all.success, &mut all.verify] {
            template.from = "MAILER-DAEMON (Mail Delivery System)".into();
        }
        all
    }

    /// Reads the text of a template file over the built-in templates.
    ///
    /// A template with a mistake keeps its built-in form; every mistake is returned with its line.
    pub fn parse(self, text: &str, file: &str) -> (Templates, Vec<Trouble>) {
        let mut all = self;
        let mut mistakes = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let number = number + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, word)) = line.split_once('=').map(|(name, rest)| (name.trim(), rest.trim()))
            else {
                mistakes
                    .push(Trouble::new(format!("{file}, line {number}: expected 'name_template = <<WORD'")));
                continue;
            };
            let Some(word) = word.strip_prefix("<<").map(str::trim).filter(|word| !word.is_empty()) else {
                mistakes
                    .push(Trouble::new(format!("{file}, line {number}: expected '<<WORD' after '{name} ='")));
                continue;
            };
            let mut body = Vec::new();
            let mut ended = false;
            for (_, line) in lines.by_ref() {
                if line.trim() == word {
                    ended = true;
                    break;
                }
                body.push(line);
            }
            if !ended {
                mistakes
                    .push(Trouble::new(format!("{file}, line {number}: {name}: no line '{word}' ends it")));
                continue;
            }
            let slot = match name {
                "failure_template" => &mut all.failure,
                "delay_template" => &mut all.delay,
                "success_template" => &mut all.success,
                "verify_template" => &mut all.verify,
                _ => {
                    mistakes.push(Trouble::new(format!(
                        "{file}, line {number}: unknown template '{name}' (failure_template, delay_template, \
                         success_template, verify_template)"
                    )));
                    continue;
                }
            };
            match read_one(&body, slot) {
                Ok(template) => *slot = template,
                Err((offset, what)) => {
                    let at = number + 1 + offset;
                    mistakes.push(Trouble::new(format!("{file}, line {at}: {name}: {what}")));
                }
            }
        }
        (all, mistakes)
    }
}

/// One template: header lines, an empty line, text.
fn read_one(lines: &[&str], built_in: &Template) -> Result<Template, (usize, String)> {
    let mut template = built_in.clone();
    let mut at = 0;
    for line in lines {
        if line.is_empty() {
            at += 1;
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            // No header at all: everything is text.
            break;
        };
        if !value.is_ascii() || value.contains('\0') {
            return Err((at, "a template header takes ASCII text only".into()));
        }
        let value = value.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "charset" => template.charset = value,
            "from" => template.from = value,
            "subject" => template.subject = value,
            "postmaster-subject" => template.postmaster_subject = Some(value),
            other => return Err((at, format!("unknown template header '{other}:'"))),
        }
        at += 1;
    }
    let text = &lines[at.min(lines.len())..];
    if !text.iter().all(|line| line.is_ascii()) && template.charset.eq_ignore_ascii_case("us-ascii") {
        return Err((at, "text outside ASCII needs a Charset: header, for example utf-8".into()));
    }
    template.text = text.iter().flat_map(|line| [*line, "\n"]).collect();
    Ok(template)
}

/// Turns `maximal_queue_lifetime_hours` and its kin into a number: the value of `time(name)`, in seconds, in the
/// unit that the suffix names. `None` for any other name.
pub fn time_in_unit(name: &str, time: impl Fn(&str) -> Option<u64>) -> Option<String> {
    let (parameter, unit) = name.rsplit_once('_')?;
    if !matches!(parameter, "delay_warning_time" | "maximal_queue_lifetime") {
        return None;
    }
    let seconds = match unit {
        "seconds" => 1,
        "minutes" => 60,
        "hours" => 3600,
        "days" => 86_400,
        "weeks" => 604_800,
        _ => return None,
    };
    // Rounded to the nearest unit.
    time(parameter).map(|value| ((value + seconds / 2) / seconds).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_what_it_names() {
        let text = "# comment\n\nfailure_template = <<EOF\nCharset: utf-8\nSubject: Raté\nEOF\n\
                    success_template = <<END\nSubject: Fine\n\nIt is $myhostname.\nEND\n";
        let (all, mistakes) = Templates::default().parse(text, "bounce.cf");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].what.starts_with("bounce.cf, line 5: failure_template"), "{mistakes:?}");
        assert_eq!(all.failure, Templates::default().failure);
        assert_eq!(
            (all.success.subject.as_str(), all.success.text.as_str()),
            ("Fine", "It is $myhostname.\n")
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line) in
            [("x\n", 1), ("\nother_template = <<A\nA\n", 2), ("delay_template = <<A\nSubject: x\n", 1)]
        {
            let (_, mistakes) = Templates::default().parse(text, "f");
            assert_eq!(mistakes.len(), 1, "{text}");
            assert!(mistakes[0].what.starts_with(&format!("f, line {line}:")), "{}", mistakes[0].what);
        }
    }

    #[test]
    fn times_are_told_in_the_unit_asked_for() {
        let time = |_: &str| Some(14_400);
        assert_eq!(time_in_unit("delay_warning_time_hours", time).as_deref(), Some("4"));
        assert_eq!(time_in_unit("delay_warning_time_minutes", time).as_deref(), Some("240"));
        assert_eq!(time_in_unit("delay_warning_time", time), None);
        assert_eq!(time_in_unit("myhostname", time), None);
    }
}
