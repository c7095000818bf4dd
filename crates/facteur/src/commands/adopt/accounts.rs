//! `passdb { }` and `userdb { }`, in the forms of 2.3 (`driver`, `args`) and of 2.4 (`passdb sql { }`).

use super::plan::Plan;
use super::syntax::{At, Block};
use super::variables::older;

/// Options of the chain that are written here as there.
const CHAIN: &[&str] = &[
    "deny",
    "master",
    "pass",
    "skip",
    "result_success",
    "result_failure",
    "result_internalfail",
    "default_fields",
    "override_fields",
    "mechanisms",
    "username_filter",
    "auth_verbose",
];

/// Translates all databases, in their order.
pub fn translate(root: &Block, plan: &mut Plan) {
    for (kind, otherwise) in [("passdb", None), ("userdb", Some("prefetch"))] {
        let mut list = Vec::new();
        let mut found = false;
        for block in root.all(kind) {
            found = true;
            match database(root, block, plan) {
                Ok(text) => list.push(text),
                Err(why) => plan.leave(&block.at, &format!("{kind} {}", driver(block)), &why),
            }
        }
        if !list.is_empty() {
            plan.set(kind, &list.join(", "));
        } else if !found && let Some(otherwise) = otherwise.filter(|_| plan.get("passdb").is_some()) {
            plan.set(kind, otherwise);
        }
    }
}

/// The type: `driver` in 2.3, `passdb_driver` or the block's name in 2.4.
fn driver(block: &Block) -> &str {
    let prefixed = format!("{}_driver", block.kind);
    block.get("driver").or_else(|| block.get(&prefixed)).unwrap_or(&block.name)
}

/// A setting of a block of 2.4, whose name may leave out the block's kind and type.
fn setting<'b>(block: &'b Block, name: &str) -> Option<&'b str> {
    let (kind, driver) = (&block.kind, driver(block).replace('-', "_"));
    let names = [
        name.to_owned(),
        format!("{kind}_{name}"),
        format!("{driver}_{name}"),
        format!("{kind}_{driver}_{name}"),
    ];
    names.iter().find_map(|name| block.get(name))
}

/// One database, as it is written in main.cf.
fn database(root: &Block, block: &Block, plan: &mut Plan) -> Result<String, String> {
    let args = block.get("args").unwrap_or_default();
    let mut options: Vec<(String, String)> = Vec::new();
    let mut option = |name: &str, value: &str| options.push((name.to_owned(), value.to_owned()));
    let head = match driver(block) {
        "passwd-file" => {
            let mut path = setting(block, "passwd_file_path").unwrap_or_default().to_owned();
            for word in args.split_whitespace() {
                match word.split_once('=') {
                    Some((name @ ("scheme" | "username_format"), value)) => option(name, value),
                    _ => path = word.to_owned(),
                }
            }
            if let Some(scheme) = setting(block, "default_password_scheme") {
                option("scheme", scheme);
            }
            if let Some(format) = setting(block, "auth_username_format") {
                option("username_format", &variables(format)?);
            }
            format!("passwd-file:{}", variables(&path)?)
        }
        "sql" => match args {
            "" => format!("sql:{}", queries(root, block, plan)?),
            file => format!("sql:{file}"),
        },
        "pam" => {
            let mut service = setting(block, "service_name").unwrap_or_default();
            for word in args.split_whitespace() {
                match word.split_once('=') {
                    None => service = word,
                    Some((name, _)) => {
                        plan.needless(&format!("pam {name}"), "each login has a process of its own")
                    }
                }
            }
            with_colon("pam", service)
        }
        "passwd" | "shadow" | "prefetch" => driver(block).to_owned(),
        "static" => {
            let mut fields: Vec<(String, String)> = words(args);
            if let Some(password) = setting(block, "password") {
                fields.push(("password".to_owned(), password.to_owned()));
            }
            fields.extend(inner(block, "fields"));
            for (name, value) in fields {
                option(&name, &variables(&value)?);
            }
            "static".to_owned()
        }
        "checkpassword" => {
            format!("checkpassword:{}", args.split_whitespace().next_back().unwrap_or_default())
        }
        "" => return Err("it names no driver".to_owned()),
        "ldap" => return Err(
            "Dovecot's file for LDAP is not read; name an ldap: table, or copy accounts by 'facteur sync'"
                .to_owned(),
        ),
        other => return Err(format!("there is no kind of database like {other}")),
    };
    for name in CHAIN {
        if let Some(value) = setting(block, name) {
            option(name, &variables(value)?);
        }
    }
    if head != "static" {
        let fields: Vec<String> =
            inner(block, "fields").into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !fields.is_empty() {
            option("default_fields", &variables(&fields.join(" "))?);
        }
    }
    if options.is_empty() {
        return Ok(head);
    }
    let options: Vec<String> = options
        .iter()
        .map(|(name, value)| match value.contains([' ', ',', '{']) {
            true => format!("{name}={{{value}}}"),
            false => format!("{name}={value}"),
        })
        .collect();
    Ok(format!("{{ {head}, {} }}", options.join(", ")))
}

fn with_colon(kind: &str, argument: &str) -> String {
    if argument.is_empty() { kind.to_owned() } else { format!("{kind}:{argument}") }
}

fn variables(text: &str) -> Result<String, String> {
    older(text).map_err(|what| format!("{what} has no equal here"))
}

/// `name=value` words.
fn words(args: &str) -> Vec<(String, String)> {
    let word = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, "yes"));
        (name.to_owned(), value.to_owned())
    };
    args.split_whitespace().map(word).collect()
}

/// The settings of a block in this one.
fn inner(block: &Block, kind: &str) -> Vec<(String, String)> {
    let settings = block.all(kind).flat_map(|block| &block.settings);
    settings.map(|setting| (setting.name.clone(), setting.value.clone())).collect()
}

/// 2.4 writes queries and hosts into its own configuration; they go into one file, as 2.3 had it. Gives its path.
fn queries(root: &Block, block: &Block, plan: &mut Plan) -> Result<String, String> {
    let driver = setting(block, "sql_driver").or_else(|| root.get("sql_driver")).unwrap_or_default();
    let path = "/etc/dovecot/dovecot-sql.conf.ext";
    let mut lines = vec![format!("driver = {driver}")];
    let mut secret = None;
    let host = root.all(driver).chain(block.all(driver)).last();
    let mut connect = Vec::new();
    if driver == "sqlite" {
        let file =
            host.and_then(|host| host.get("path")).or_else(|| root.get("sqlite_path")).unwrap_or_default();
        connect.push(file.to_owned());
    } else {
        let host = host.ok_or_else(|| format!("there is no block \"{driver} HOST {{ }}\""))?;
        connect.push(format!("host={}", host.name));
        for setting in &host.settings {
            match setting.name.trim_start_matches(driver).trim_start_matches('_') {
                "user" => connect.push(format!("user={}", setting.value)),
                "dbname" => connect.push(format!("dbname={}", setting.value)),
                "port" => connect.push(format!("port={}", setting.value)),
                "password" => {
                    connect.push("password=?".to_owned());
                    secret = Some(setting.at.clone());
                }
                name => {
                    plan.leave(&setting.at, &format!("{driver} {name}"), "nothing in connect says the same")
                }
            }
        }
    }
    lines.push(format!("connect = {}", connect.join(" ")));
    for (kind, query, name) in [
        ("passdb", "query", "password_query"),
        ("userdb", "query", "user_query"),
        ("userdb", "iterate_query", "iterate_query"),
    ] {
        // The file is the same for both databases.
        let found = root
            .all(kind)
            .find_map(|block| setting(block, &format!("sql_{query}")).or_else(|| setting(block, query)));
        if let Some(text) = found {
            lines.push(format!("{name} = {}", variables(text)?));
        }
    }
    let scheme =
        setting(block, "default_password_scheme").or_else(|| root.get("passdb_default_password_scheme"));
    lines.extend(scheme.map(|scheme| format!("default_pass_scheme = {scheme}")));
    if !plan.files.iter().any(|(known, _)| known == path) {
        plan.files.push((path.to_owned(), lines.join("\n") + "\n"));
        plan.notes.extend(secret.map(|at: At| format!("{path}: the password in place of ? stands in {at}")));
    }
    Ok(path.to_owned())
}
