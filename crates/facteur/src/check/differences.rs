//! What of a site's configuration would be answered differently from Postfix, with the reason in a few words. The long
//! form is docs/differences-from-postfix.md.

use conf::View;

use super::{tables_in, values, views};
use crate::config::Config;

/// One difference, and whether a configuration meets it.
struct Difference {
    applies: fn(&Config) -> bool,
    text: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        applies: |_| true,
        text: "The end of a message is <CR><LF>.<CR><LF> alone for clients that end their lines so; Postfix 3.7 takes \
               bare line feeds too, which lets mail be smuggled.",
    },
    Difference {
        applies: |_| true,
        text: "The queue is a journal: its directories hold no files to look at. postqueue, postcat, postsuper and \
               qshape show it; 'facteur queue import' takes over what waits in Postfix's, 'export' gives it back.",
    },
    Difference {
        applies: |config| names_table(config, &["hash", "btree", "dbm"]),
        text: "Tables of type hash, btree and dbm are compiled into NAME.lmdb, by themselves when the text has changed; \
               Postfix's NAME.db is left alone.",
    },
    Difference {
        applies: |config| {
            !config.view.is_set("default_process_limit")
                && has_service(config, |service| service.command == "smtpd" && service.maxproc.is_none())
        },
        text: "No limit of 100 SMTP sessions holds, as no default_process_limit is set: a session is no process here.",
    },
    Difference {
        applies: |config| {
            any(config, |view| ["smtp", "smtpd", "lmtp"].iter().any(|side| uses_tls(view, side)))
        },
        text: "TLS is 1.2 and 1.3 with forward secrecy alone; peers with nothing newer than TLS 1.1 are served in \
               clear text where the level is 'may', and not at all where it is higher.",
    },
    Difference {
        applies: |config| any(config, |view| says_yes(view, "smtpd_sasl_auth_enable")),
        text: "Of logins the log has the word AUTH and no more: what a client sends with it may be its password.",
    },
    Difference {
        applies: |config| !config.view.is_set("bounce_template_file"),
        text: "Notices to senders have our own words in the same form; bounce_template_file replaces them as ever.",
    },
    Difference {
        applies: |config| has_service(config, |service| service.command == "postscreen"),
        text: "postscreen keeps its results in memory, and does not offer STARTTLS to clients under test.",
    },
    Difference {
        applies: |config| {
            values(config).iter().any(|(_, _, value)| {
                tables::divide(value).iter().any(|word| word.starts_with("reject_unverified_"))
            })
        },
        text: "Address probes ask the next server directly instead of passing through the queue, and are forgotten \
               when the program stops.",
    },
];

/// The sentences that concern this configuration.
pub fn find(config: &Config) -> Vec<&'static str> {
    DIFFERENCES.iter().filter(|one| (one.applies)(config)).map(|one| one.text).collect()
}

fn names_table(config: &Config, kinds: &[&str]) -> bool {
    values(config)
        .iter()
        .any(|(_, _, value)| tables_in(value).any(|spec| kinds.contains(&spec.kind.as_str())))
}

fn has_service(config: &Config, is_it: impl Fn(&conf::Service) -> bool) -> bool {
    config.master.services.iter().any(is_it)
}

fn any(config: &Config, is_it: impl Fn(&View) -> bool) -> bool {
    views(config).iter().any(is_it)
}

fn says_yes(view: &View, parameter: &str) -> bool {
    view.get(parameter).eq_ignore_ascii_case("yes")
}

fn uses_tls(view: &View, side: &str) -> bool {
    let level = view.get(&format!("{side}_tls_security_level"));
    let old = ["use_tls", "enforce_tls", "tls_wrappermode"].map(|end| format!("{side}_{end}"));
    !matches!(level.trim(), "" | "none") || old.iter().any(|name| says_yes(view, name))
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;

    #[test]
    fn only_what_a_site_uses_is_told() {
        let plain = config("bounce_template_file = /x\ndefault_process_limit = 5\n", "");
        assert_eq!(find(&plain).len(), 2);
        for (main, master, part) in [
            ("relocated_maps = proxy:btree:/x\n", "", "NAME.lmdb"),
            ("", "smtp inet n - n - - smtpd\n", "100 SMTP sessions"),
            ("", "smtps inet n - n - 5 smtpd -o smtpd_tls_wrappermode=yes\n", "TLS is 1.2"),
            ("smtp_tls_security_level = may\n", "", "TLS is 1.2"),
            ("smtpd_recipient_restrictions = reject_unverified_recipient\n", "", "Address probes"),
        ] {
            let texts = find(&config(main, master));
            assert!(texts.iter().any(|text| text.contains(part)), "{texts:?}");
        }
    }
}
