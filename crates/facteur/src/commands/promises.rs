//! `facteur promises`: what each process may do, and what it has given up.

use std::ffi::OsString;
use std::path::Path;

use super::Command;
use super::demo::words::Language;
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "promises", summary: "print what each process of the program may do", run };

const USAGE: &str = "usage: facteur promises [-c config_dir] [--lang en|fr]";

fn run(words: Vec<OsString>) -> u8 {
    let mut directory = None;
    let mut language = Language::of_environment();
    let mut parser = lexopt::Parser::from_args(words);
    loop {
        let taken = match parser.next() {
            Ok(None) => break,
            Ok(Some(lexopt::Arg::Short('c'))) => {
                super::value(&mut parser).map(|value| directory = Some(value))
            }
            Ok(Some(lexopt::Arg::Long("lang"))) => super::value(&mut parser).and_then(|value| {
                let named = value.to_str().and_then(Language::named);
                named.map(|named| language = named).ok_or_else(|| "--lang is en or fr".to_owned())
            }),
            Ok(Some(lexopt::Arg::Long("help"))) => {
                println!("{USAGE}");
                return 0;
            }
            Ok(Some(other)) => Err(other.unexpected().to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(what) = taken {
            eprintln!("facteur promises: {what}\n{USAGE}");
            return 1;
        }
    }
    let directory = config::directory(directory.as_deref().map(Path::new));
    let view = Config::main_only(&directory, "postfix").view;
    let [owner, queue, data] = ["mail_owner", "queue_directory", "data_directory"].map(|name| view.get(name));
    let set = |name: &str| Some(view.get(name)).filter(|value| !value.is_empty());
    let keeper = set("mail_uid");
    let logins = set("default_login_user").unwrap_or_else(|| owner.clone());
    print!("{}", text(language, &owner, keeper.as_deref(), &logins, &queue, &data));
    0
}

fn text(
    language: Language,
    owner: &str,
    keeper: Option<&str>,
    logins: &str,
    queue: &str,
    data: &str,
) -> String {
    let readers = readers(language, keeper, logins);
    match language {
        Language::English => format!(
            "\
Started as root, Facteur is several processes:

parent        user root
  does        starts the others; opens ports of master.cf, the log, files that main.cf or master.cf name
              (keys, tables), and files in {queue}/maildrop; makes sockets of master.cf, and lock files
              in the mail spool for the owners of mailboxes there
  refuses     everything else; it reads no mail and speaks with no client

worker        user {owner}
  does        SMTP, LMTP, queue, routing, filters, outgoing connections
  writes      only in {queue} and {data} (Landlock, and file permissions)
  cannot      start programs, change its user, look into other processes (seccomp, no_new_privs);
              read mailboxes or other files of users and of root

{readers}
deliverer     the user of a mailbox or a command; one process for each, ended when idle
  does        writes into mailboxes and files that the configuration, aliases or the user's .forward name;
              runs commands that these name, and those of pipe and spawn in master.cf and of acme_dns_hook;
              reads the user's .forward files
  refuses     other files, other commands, other variables in their environment. What tables without a
              text (databases, patterns) name as files and commands is not checked.

spool writer  user root, only where the mail spool is writable for root alone
  does        appends to the file of the spool that has the user's name; reads :include: files of aliases
  cannot      start programs (seccomp, no_new_privs)

checker       user root, only where passdb names PAM or a checkpassword program; one process for each login
  does        asks libpam, or runs that program; answers yes, no or not now, and ends
  refuses     services and programs that the configuration does not name

Where the kernel has no Landlock or seccomp, the log says so at start, and the rest holds.
Not started as root, Facteur is one process with the rights of its user.
"
        ),
        Language::French => format!(
            "\
Lancé par root, Facteur se compose de plusieurs processus :

parent        utilisateur root
  fait        lance les autres ; ouvre les ports de master.cf, le journal, les fichiers nommés dans main.cf ou
              master.cf (clés, tables) et ceux de {queue}/maildrop ; crée les sockets de master.cf, et les
              verrous des boîtes de /var/mail pour leurs propriétaires
  refuse      tout le reste ; il ne lit aucun courrier et ne parle à aucun client

ouvrier       utilisateur {owner}
  fait        SMTP, LMTP, file d'attente, routage, filtres, connexions sortantes
  écrit       seulement dans {queue} et {data} (Landlock et permissions)
  ne peut pas lancer de programme, changer d'utilisateur, regarder dans d'autres processus (seccomp,
              no_new_privs) ; lire les boîtes ni les autres fichiers des utilisateurs et de root

{readers}
livreur       l'utilisateur d'une boîte ou d'une commande ; un processus chacun, arrêté quand il est oisif
  fait        écrit dans les boîtes et fichiers nommés par la configuration, les alias ou le .forward de
              l'utilisateur ; lance les commandes qu'ils nomment, et celles de pipe et spawn dans master.cf
              et d'acme_dns_hook ; lit les .forward de l'utilisateur
  refuse      les autres fichiers, commandes et variables d'environnement. Ce que nomment les tables sans
              texte (bases de données, motifs) comme fichiers et commandes n'est pas vérifié.

écrivain      utilisateur root, seulement si le répertoire des boîtes n'est inscriptible que pour root
  fait        ajoute au fichier qui porte le nom de l'utilisateur ; lit les fichiers :include: des alias
  ne peut pas lancer de programme (seccomp, no_new_privs)

vérificateur  utilisateur root, seulement si passdb nomme PAM ou un programme checkpassword ;
              un processus par identification
  fait        interroge libpam ou lance ce programme ; répond oui, non ou pas maintenant, et s'arrête
  refuse      les services et programmes que la configuration ne nomme pas

Si le noyau n'a pas Landlock ou seccomp, le journal le dit au démarrage, et le reste tient.
Lancé par un autre que root, Facteur est un seul processus avec les droits de son utilisateur.
"
        ),
    }
}

/// Those who serve people who read mail: one keeper of all mailboxes, or logins and a keeper for each user.
fn readers(language: Language, keeper: Option<&str>, logins: &str) -> String {
    match (language, keeper) {
        (Language::English, Some(keeper)) => format!(
            "\
keeper        user {keeper} (mail_uid)
  does        IMAP, POP3; keeps the mailboxes of mail_location and takes what the worker delivers to them.
              Accounts with a uid of their own have keepers of their own
  cannot      start programs, change its user, look into other processes; ask the parent to deliver as others
"
        ),
        (Language::English, None) => format!(
            "\
logins        user {logins}
  does        IMAP and POP3 until somebody has logged in; keeps TLS, and hands the session to the keeper
              of the user
  reads       settings and programs of the system, our configuration and the files it names (Landlock):
              no mailbox, whatever its permissions are
  cannot      start programs, signal or look into other processes, change its user, deliver

keeper        the user of a mailbox, as the userdb says; one process for each, ended when idle
  does        IMAP and POP3 of its user's sessions; takes what the worker delivers to him
  refuses     accounts with other rights; never root, nor users outside of first_valid_uid and last_valid_uid
  cannot      read others' mailboxes (file permissions); start programs, look into other processes;
              ask the parent for anything but the configuration, the log, and locks of its user's mailbox
"
        ),
        (Language::French, Some(keeper)) => format!(
            "\
gardien       utilisateur {keeper} (mail_uid)
  fait        IMAP, POP3 ; garde les boîtes de mail_location et prend ce que l'ouvrier leur livre.
              Les comptes qui ont leur propre uid ont leur propre gardien
  ne peut pas lancer de programme, changer d'utilisateur, regarder dans d'autres processus ;
              demander au parent de livrer au nom d'autres
"
        ),
        (Language::French, None) => format!(
            "\
accueil       utilisateur {logins}
  fait        IMAP et POP3 jusqu'à l'identification ; garde TLS, et confie la session au gardien de
              l'utilisateur
  lit         réglages et programmes du système, notre configuration et les fichiers qu'elle nomme
              (Landlock) : aucune boîte, quelles que soient ses permissions
  ne peut pas lancer de programme, signaler ou regarder d'autres processus, changer d'utilisateur, livrer

gardien       l'utilisateur d'une boîte, selon userdb ; un processus chacun, arrêté quand il est oisif
  fait        IMAP et POP3 des sessions de cet utilisateur ; prend ce que l'ouvrier lui livre
  refuse      les comptes d'autres droits ; jamais root, ni hors de first_valid_uid et last_valid_uid
  ne peut pas lire les boîtes d'autrui (permissions) ; lancer de programme, regarder d'autres processus ;
              demander au parent autre chose que la configuration, le journal et les verrous de sa boîte
"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_name_the_places() {
        for language in [Language::English, Language::French] {
            for keeper in [Some("vmail"), None] {
                let text = text(language, "mailman", keeper, "dovenull", "/queue", "/data");
                assert!(
                    text.contains(" mailman\n")
                        && text.contains("/queue et /data") | text.contains("/queue and /data")
                );
                assert_eq!(text.contains(" vmail (mail_uid)\n"), keeper.is_some());
                assert_eq!(text.contains(" dovenull\n"), keeper.is_none());
                assert!(text.lines().all(|line| line.chars().count() <= 110), "lines fit a terminal");
                assert!(text.contains("checkpassword"), "no process is left out");
            }
        }
    }
}
