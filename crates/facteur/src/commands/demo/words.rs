//! What the demo says, in English and in French.

use std::path::Path;

use super::site::{DOMAIN, Site, USERS};

/// A language the demo speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
}

impl Language {
    /// `en` or `fr`, also as `fr_FR.UTF-8`.
    pub fn named(name: &str) -> Option<Language> {
        match name.split(['_', '.', '@']).next() {
            Some("fr") => Some(Language::French),
            Some("en" | "C" | "POSIX") => Some(Language::English),
            _ => None,
        }
    }

    /// As the environment wants it.
    pub fn of_environment() -> Language {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        set.into_iter()
            .find(|value| !value.is_empty())
            .and_then(|value| Language::named(&value))
            .unwrap_or(Language::English)
    }
}

/// Printed when mail is taken.
pub fn welcome(language: Language, site: &Site) -> String {
    let (dir, smtp, submission) = (site.directory.display(), site.smtp_port, site.submission_port);
    let (imap, imaps, pop3, pop3s) = (site.imap_port, site.imaps_port, site.pop3_port, site.pop3s_port);
    let lmtp = site.lmtp_port;
    let [alice, bob, carol] = USERS;
    match language {
        Language::English => format!(
            "Facteur is running. Users: {alice}, {bob} and {carol}@{DOMAIN}.\n\
             \n\
             \x20 Everything is in   {dir}\n\
             \x20 SMTP               127.0.0.1:{smtp}\n\
             \x20 Submission         127.0.0.1:{submission} (STARTTLS and a login; certificate authority: {dir}/tls/ca.pem)\n\
             \x20 IMAP               127.0.0.1:{imap}, with TLS from the start 127.0.0.1:{imaps}\n\
             \x20 POP3               127.0.0.1:{pop3}, with TLS from the start 127.0.0.1:{pop3s}\n\
             \x20 LMTP               127.0.0.1:{lmtp}\n\
             \n\
             Send a message:\n\
             \x20 swaks --server 127.0.0.1:{smtp} --to {bob}@{DOMAIN} --from {alice}@{DOMAIN}\n\
             \x20 swaks --server 127.0.0.1:{submission} -tls -a PLAIN -au {alice}@{DOMAIN} -ap {alice}-demo \\\n\
             \x20     --to {bob}@{DOMAIN} --from {alice}@{DOMAIN}\n\
             \x20 printf 'Subject: hello\\n\\nhi\\n' | curl smtp://127.0.0.1:{smtp} --mail-from {alice}@{DOMAIN} \\\n\
             \x20     --mail-rcpt {bob}@{DOMAIN} --upload-file -\n\
             Read it (passwords are {bob}-demo and the like):\n\
             \x20 curl imap://127.0.0.1:{imap}/INBOX -u {bob}@{DOMAIN}:{bob}-demo -X 'FETCH 1:* (FLAGS ENVELOPE)'\n\
             \x20 curl pop3s://127.0.0.1:{pop3s}/1 -u {bob}@{DOMAIN}:{bob}-demo --cacert {dir}/tls/ca.pem\n\
             \x20 ls {dir}/mail/{bob}/new\n\
             Look at queue and log:\n\
             \x20 facteur postqueue -c {dir}/conf -p\n\
             \x20 tail -f {dir}/mail.log\n\
             \n\
             Mail to other domains is refused: nobody relays without a login. Ctrl-C ends it; mail stays.\n"
        ),
        Language::French => format!(
            "Facteur tourne. Utilisateurs : {alice}, {bob} et {carol}@{DOMAIN}.\n\
             \n\
             \x20 Tout est dans      {dir}\n\
             \x20 SMTP               127.0.0.1:{smtp}\n\
             \x20 Soumission         127.0.0.1:{submission} (STARTTLS et mot de passe ; autorité : {dir}/tls/ca.pem)\n\
             \x20 IMAP               127.0.0.1:{imap}, avec TLS dès le début 127.0.0.1:{imaps}\n\
             \x20 POP3               127.0.0.1:{pop3}, avec TLS dès le début 127.0.0.1:{pop3s}\n\
             \x20 LMTP               127.0.0.1:{lmtp}\n\
             \n\
             Envoyer un message :\n\
             \x20 swaks --server 127.0.0.1:{smtp} --to {bob}@{DOMAIN} --from {alice}@{DOMAIN}\n\
             \x20 swaks --server 127.0.0.1:{submission} -tls -a PLAIN -au {alice}@{DOMAIN} -ap {alice}-demo \\\n\
             \x20     --to {bob}@{DOMAIN} --from {alice}@{DOMAIN}\n\
             \x20 printf 'Subject: bonjour\\n\\nsalut\\n' | curl smtp://127.0.0.1:{smtp} --mail-from {alice}@{DOMAIN} \\\n\
             \x20     --mail-rcpt {bob}@{DOMAIN} --upload-file -\n\
             Le lire (les mots de passe sont {bob}-demo et ainsi de suite) :\n\
             \x20 curl imap://127.0.0.1:{imap}/INBOX -u {bob}@{DOMAIN}:{bob}-demo -X 'FETCH 1:* (FLAGS ENVELOPE)'\n\
             \x20 curl pop3s://127.0.0.1:{pop3s}/1 -u {bob}@{DOMAIN}:{bob}-demo --cacert {dir}/tls/ca.pem\n\
             \x20 ls {dir}/mail/{bob}/new\n\
             Voir la file d'attente et le journal :\n\
             \x20 facteur postqueue -c {dir}/conf -p\n\
             \x20 tail -f {dir}/mail.log\n\
             \n\
             Le courrier vers d'autres domaines est refusé : personne ne relaie sans s'identifier.\n\
             Ctrl-C termine ; le courrier reste.\n"
        ),
    }
}

/// Printed at the end.
pub fn goodbye(language: Language) -> &'static str {
    match language {
        Language::English => "Stopped. Mail and queue are kept for the next start.",
        Language::French => {
            "Arrêté. Le courrier et la file d'attente sont gardés pour le prochain démarrage."
        }
    }
}

/// What a log line means, in plain words; `None` for lines that mean little to a person.
pub fn tell(language: Language, program: &str, text: &str, mail: &Path) -> Option<String> {
    let french = language == Language::French;
    if let Some(rest) = text.strip_prefix("NOQUEUE: reject: ") {
        let reason = rest.split_once(": ")?.1;
        let reason = reason.split_once("; from=").map_or(reason, |(reason, _)| reason);
        return Some(if french { format!("- Refusé : {reason}") } else { format!("- Refused: {reason}") });
    }
    if program == "qmgr" && text.contains("(queue active)") {
        let from = between(text, "from=<", ">")?;
        let size = between(text, "size=", ",")?;
        let from = match (from, french) {
            ("", false) => "the mail system itself",
            ("", true) => "le système lui-même",
            (from, _) => from,
        };
        return Some(if french {
            format!(
                "+ Un message de {from} ({size} octets) est dans la file d'attente, en sûreté sur le disque."
            )
        } else {
            format!("+ A message from {from} ({size} bytes) is in the queue, safe on disk.")
        });
    }
    let to = between(text, ": to=<", ">")?;
    let status = between(text, "status=", " ")?;
    let reason = text.split_once(" (").map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let user = to.split(['@', '+']).next().unwrap_or(to);
    Some(match (status, french) {
        ("sent", false) if program == "virtual" => {
            format!("  {to}: delivered; look in {}/{user}/new", mail.display())
        }
        ("sent", true) if program == "virtual" => {
            format!("  {to} : remis ; voir {}/{user}/new", mail.display())
        }
        ("sent", false) => format!("  {to}: sent ({reason})"),
        ("sent", true) => format!("  {to} : envoyé ({reason})"),
        ("deferred", false) => format!("  {to}: not yet, it will be tried again: {reason}"),
        ("deferred", true) => format!("  {to} : pas encore, un nouvel essai suivra : {reason}"),
        ("bounced", false) => format!("  {to}: impossible, the sender is told why: {reason}"),
        ("bounced", true) => format!("  {to} : impossible, l'expéditeur en est averti : {reason}"),
        _ => return None,
    })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end).map_or(rest, |(found, _)| found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_become_sentences() {
        let mail = Path::new("/d/mail");
        let tell = |program: &str, text: &str| tell(Language::English, program, text, mail);
        assert_eq!(
            tell("qmgr", "4ABC: from=<a@x>, size=300, nrcpt=1 (queue active)").as_deref(),
            Some("+ A message from a@x (300 bytes) is in the queue, safe on disk.")
        );
        assert_eq!(
            tell("virtual", "4ABC: to=<bob@demo.test>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)").as_deref(),
            Some("  bob@demo.test: delivered; look in /d/mail/bob/new")
        );
        assert_eq!(
            tell("smtpd", "NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 554 5.7.1 <x@y>: Relay access denied; from=<a> to=<x@y> proto=ESMTP helo=<h>").as_deref(),
            Some("- Refused: 554 5.7.1 <x@y>: Relay access denied")
        );
        assert_eq!(tell("smtpd", "connect from unknown[127.0.0.1]"), None);
    }

    #[test]
    fn the_language_follows_the_environment() {
        assert_eq!(Language::named("fr_FR.UTF-8"), Some(Language::French));
        assert_eq!(Language::named("C"), Some(Language::English));
        assert_eq!(Language::named("de"), None);
    }
}
