//! Writes the program that calls each function of the header with each argument odd in turn: NULL, a text that is none,
//! a struct of another header. What it begins and judges a trial with is `tests/c/trials.h`.

use std::fmt::Write;

use super::declarations::{Declarations, Function, Variable};

/// Handles that are alive inside a function of a plug-in alone: NULL is all there is of them outside.
const FLEETING: [&str; 5] =
    ["astat_request", "astat_reply", "astat_event", "astat_credentials", "astat_trouble"];

/// What one parameter is.
enum Kind<'a> {
    Handle(&'a str),
    /// A place for a handle.
    Out(&'a str),
    Err,
    /// A place for a number.
    Number(&'a str),
    /// A struct with a size that is read, of options or of functions.
    Given(&'a str),
    /// A struct with a size that is filled.
    Filled(&'a str),
    Text,
    /// The first of as many as the next parameter says.
    List(&'a str),
    Count,
    Context,
    Callback,
    Plain(&'a str),
}

pub(crate) fn program(header: &str) -> Result<String, String> {
    let all = Declarations::of(header)?;
    let mut functions = String::new();
    let mut table = String::new();
    let mut setters = String::new();
    for function in &all.functions {
        let kinds = all.kinds(function)?;
        functions += &trial(&all, function, &kinds)?;
        table += &trials(&all, function, &kinds);
        if function.name.starts_with("astat_config_set_")
            && let Some(ops) = kinds.iter().find_map(|kind| tables(kind))
        {
            let name = &function.name;
            write!(
                functions,
                "static astat_code end_{name}(astat_config *config)\n{{\n    \
                 return {name}(config, &valid_{ops}, &destroyed, NULL);\n}}\n\n"
            )
            .expect("a text grows");
            setters += &format!("    {{\"{name}\", end_{name}}},\n");
        }
    }
    let valid: String = all
        .structs
        .iter()
        .filter(|it| is_sized(it.members.first()) && !is_table(&it.name))
        .fold(String::new(), |valid, it| {
            let name = &it.name;
            valid + &format!("static const {name} valid_{name} = {}_INIT;\n", name.to_uppercase())
        });
    Ok(format!(
        "/* Made of include/activity_status.h by `cargo xtask test`. */\n#include \"trials.h\"\n\n{valid}\n{functions}\
         static const struct trial TRIALS[] = {{\n{table}}};\n\n\
         static const struct setter SETTERS[] = {{\n{setters}}};\n\n\
         int main(int argc, char **argv)\n{{\n    \
         return run(argc, argv, TRIALS, COUNT(TRIALS), SETTERS, COUNT(SETTERS));\n}}\n"
    ))
}

impl Declarations {
    fn kinds<'a>(&'a self, function: &'a Function) -> Result<Vec<Kind<'a>>, String> {
        let mut kinds = Vec::new();
        for (at, parameter) in function.parameters.iter().enumerate() {
            let counted = function.parameters.get(at + 1).is_some_and(|next| next.kind == "size_t");
            let counts = matches!(kinds.last(), Some(Kind::List(_)));
            let kind = match parameter.name.as_str() {
                "err" => Some(Kind::Err),
                _ => self.kind(&parameter.kind, counted, counts),
            };
            kinds.push(kind.ok_or_else(|| {
                format!("{}: no trial is known for \"{}{}\"", function.name, parameter.kind, parameter.name)
            })?);
        }
        Ok(kinds)
    }

    fn kind<'a>(&'a self, kind: &'a str, counted: bool, counts: bool) -> Option<Kind<'a>> {
        let handle = |name: &str| self.handles.iter().find(|it| *it == name).map(String::as_str);
        let sized = |name: &str| {
            self.structure(name).filter(|it| is_sized(it.members.first())).map(|it| it.name.as_str())
        };
        Some(match kind {
            "astat_str" => Kind::Text,
            "void *" => Kind::Context,
            "int32_t *" | "uint64_t *" => Kind::Number(kind.strip_suffix(" *")?),
            "size_t" if counts => Kind::Count,
            "int32_t" | "uint32_t" | "int64_t" | "uint64_t" | "size_t" | "astat_code" => Kind::Plain(kind),
            "const astat_pair *" | "const void *" if counted => Kind::List(kind),
            "(*)" => Kind::Callback,
            _ if self.callbacks.iter().any(|it| it == kind) => Kind::Callback,
            _ => {
                let read = kind.strip_prefix("const ").and_then(|kind| kind.strip_suffix(" *"));
                let changed = kind.strip_suffix(" *").filter(|_| read.is_none());
                let out = kind.strip_suffix(" **");
                return out
                    .and_then(handle)
                    .map(Kind::Out)
                    .or_else(|| read.or(changed).and_then(handle).map(Kind::Handle))
                    .or_else(|| read.and_then(sized).map(Kind::Given))
                    .or_else(|| changed.and_then(sized).map(Kind::Filled));
            }
        })
    }
}

fn is_sized(first: Option<&Variable>) -> bool {
    first.is_some_and(|it| it.name == "struct_size")
}

fn is_table(name: &str) -> bool {
    name.ends_with("_ops")
}

/// The struct's name if it is one of functions.
fn tables<'a>(kind: &Kind<'a>) -> Option<&'a str> {
    match kind {
        Kind::Given(name) if is_table(name) => Some(name),
        _ => None,
    }
}

/// The function that makes one call, with the argument odd that it is told.
fn trial(all: &Declarations, function: &Function, kinds: &[Kind<'_>]) -> Result<String, String> {
    let Function { name, result, parameters, says, .. } = function;
    let (mut begin, mut end) = (String::new(), String::new());
    let mut judged = false;
    for (at, (kind, parameter)) in kinds.iter().zip(parameters).enumerate() {
        let it = &parameter.name;
        let used_up =
            at == 0 && name.ends_with("_free") || says.to_lowercase().contains(&format!("{it} is used up"));
        match kind {
            Kind::Handle(handle) if FLEETING.contains(handle) => {
                begin += &format!("    {handle} *{it} = NULL;\n")
            }
            Kind::Handle(handle) => {
                begin += &format!("    HANDLE({at}, {handle}, {it});\n");
                if !used_up {
                    end = format!("    {handle}_free({it});\n") + &end;
                }
            }
            Kind::Out(handle) => {
                begin += &format!("    OUT({at}, {handle}, {it});\n");
                let always = it == "out" && !says.contains("*out is NULL");
                end += &format!("    OUT_ENDS({handle}, {it}, {});\n", u8::from(always));
            }
            Kind::Err => {
                begin += &format!("    ERR({at}, {it});\n");
                judged = true;
            }
            Kind::Number(number) => {
                begin += &format!("    NUMBER({at}, {number}, {it});\n");
                end += &format!("    NUMBER_ENDS({it});\n");
            }
            Kind::Given(structure) => {
                begin += &format!("    GIVEN({at}, {structure}, {it});\n");
                end += &format!("    GIVEN_ENDS({it});\n");
            }
            Kind::Filled(structure) => {
                begin += &format!("    FILLED({at}, {structure}, {it});\n");
                end += &format!("    FILLED_ENDS({at}, {structure}, {it});\n");
            }
            Kind::Text => begin += &format!("    TEXT({at}, {it});\n"),
            Kind::List(list) => begin += &format!("    {list}{it} = LIST({at}, VALUES_{it});\n"),
            Kind::Count => {
                begin += &format!(
                    "    size_t {it} = LIST_COUNT({}, VALUES_{});\n",
                    at - 1,
                    parameters[at - 1].name
                )
            }
            Kind::Context => begin += &format!("    void *{it} = nulled(t, {at}) ? NULL : &destroyed;\n"),
            Kind::Callback => {
                let made = if parameter.kind == "(*)" { "CALLBACK" } else { parameter.kind.as_str() };
                begin += &format!("    {made}_OF({at}, {it});\n");
            }
            Kind::Plain(kind) => begin += &format!("    const {kind} {it} = VALUE_{it};\n"),
        }
    }
    let arguments = parameters.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    let call = match result.as_str() {
        "void" => format!("    {name}({arguments});\n"),
        "astat_code" if judged => {
            format!("    const astat_code code = {name}({arguments});\n    JUDGE(code);\n")
        }
        kind => {
            let nothing = nothing(kind, function).ok_or_else(|| format!("{name}: its result is a {kind}"))?;
            if let Some(handle) = kind.strip_suffix(" *").filter(|kind| !kind.starts_with("const ")) {
                if !all.handles.iter().any(|it| it == handle) {
                    return Err(format!("{name}: its result is a {kind}"));
                }
                end += &format!("    {handle}_free(result);\n");
            }
            let space = if kind.ends_with('*') { "" } else { " " };
            format!("    {kind}{space}result = {name}({arguments});\n    ANSWERS({nothing});\n")
        }
    };
    Ok(format!("static void try_{name}(const struct trial *t)\n{{\n    BEGINS;\n{begin}{call}{end}}}\n\n"))
}

/// What is true of the result of a function that has nothing to answer.
fn nothing(kind: &str, function: &Function) -> Option<&'static str> {
    Some(match kind {
        "astat_str" => "is_absent(result)",
        "double" => "isnan(result)",
        "uint64_t" if function.says.contains("ASTAT_N") => "result == ASTAT_NONE",
        "astat_code" if function.says.contains("eturns why") => "result == VALUE_why",
        "int32_t" | "uint32_t" | "uint64_t" | "size_t" => "result == 0",
        "astat_code" if function.name.ends_with("_code") => "result == ASTAT_OK",
        "astat_code" => "result == ASTAT_E_ARGUMENT",
        _ if kind.ends_with('*') => "!result",
        _ => return None,
    })
}

/// The trials of one function: which argument is odd and how, and what must come of it.
fn trials(all: &Declarations, function: &Function, kinds: &[Kind<'_>]) -> String {
    let name = &function.name;
    let fails = kinds.iter().any(|kind| matches!(kind, Kind::Err));
    let fleeting = kinds.iter().any(|kind| matches!(kind, Kind::Handle(it) if FLEETING.contains(it)));
    // A valid call of a check for plug-ins would need one that passes.
    let well = match (fails, fleeting) {
        (true, _) if name.starts_with("astat_conform_") => "GOES_ON",
        (true, _) => "WORKS",
        (false, true) => "ANSWERS_NOTHING",
        (false, false) => "ANSWERS_ANYTHING",
    };
    let badly = if fails { "IS_REFUSED" } else { "ANSWERS_NOTHING" };
    let either = if fails { "SENDS_NOTHING" } else { well };
    let has_table = kinds.iter().any(|kind| tables(kind).is_some());
    let mut lines = String::new();
    let mut line = |at: Option<usize>, how: &str, size: &str, expected: &str, ends: bool| {
        let parameter = at.map_or("", |at| &function.parameters[at].name);
        let at = at.map_or("-1".to_owned(), |at| at.to_string());
        let destroyed = u8::from(has_table && ends);
        writeln!(
            lines,
            "    {{\"{name}\", \"{parameter}\", try_{name}, {at}, {how}, {size}, {expected}, {destroyed}}},"
        )
        .expect("a text grows");
    };
    let required = |at: usize| {
        let it = &function.parameters[at];
        match kinds[at] {
            Kind::Err | Kind::Context | Kind::Text | Kind::Count | Kind::Plain(_) => false,
            Kind::Given(structure) if !is_table(structure) => false,
            // Without a way to fail, each has an answer.
            Kind::Handle(_) => true,
            _ => !function.says.contains(&format!("{} may be NULL", it.name)),
        }
    };
    line(None, "AS_IS", "0", well, true);
    let nothing_given = (0..kinds.len()).any(required);
    line(None, "ALL_NULL", "0", if nothing_given { badly } else { either }, false);
    for (at, kind) in kinds.iter().enumerate() {
        let at_it = Some(at);
        match kind {
            Kind::Handle(handle) if FLEETING.contains(handle) => {}
            Kind::Plain(_) | Kind::Count => {}
            Kind::Text => {
                let refused = if fails { "IS_REFUSED" } else { either };
                for (how, expected) in [
                    ("NO_TEXT", either),
                    ("NULL_OF_FIVE", refused),
                    ("EMPTY", either),
                    ("NOT_UTF8", refused),
                    ("WITH_NUL", either),
                ] {
                    line(at_it, how, "0", expected, true);
                }
            }
            _ => {
                let expected = if required(at) { badly } else { well };
                line(at_it, "NULLED", "0", expected, tables(kind).is_none());
            }
        }
        match kind {
            Kind::List(_) => line(at_it, "EMPTY", "0", well, true),
            Kind::Given(structure) | Kind::Filled(structure) => {
                let members = &all.structure(structure).expect("it was found before").members;
                for never_set in ["0", "1", "sizeof(size_t)", "100000", "SIZE_MAX"] {
                    line(at_it, "SIZED", never_set, badly, false);
                }
                let is_read = matches!(kind, Kind::Given(_));
                line(at_it, "NEWER_ZEROS", "0", well, true);
                line(at_it, "NEWER_ONES", "0", if is_read { badly } else { well }, true);
                let needs = |member: &Variable| member.says.contains("Required.");
                for (end, member) in members.iter().enumerate().skip(2) {
                    // A list and its length are one member.
                    if !member.name.ends_with("_count") {
                        let expected = if members[end..].iter().any(needs) { badly } else { well };
                        let size = format!("offsetof({structure}, {})", member.name);
                        line(at_it, "SIZED", &size, expected, true);
                    }
                }
                for member in members.iter().filter(|member| member.kind == "(*)") {
                    let expected = if needs(member) { badly } else { well };
                    let size = format!("offsetof({structure}, {})", member.name);
                    line(at_it, "NO_MEMBER", &size, expected, member.name != "destroy");
                }
            }
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> String {
        std::fs::read_to_string(crate::run::root().join("include/activity_status.h")).unwrap()
    }

    #[test]
    fn each_function_of_the_header_is_tried() {
        let header = header();
        let program = program(&header).unwrap();
        for function in Declarations::of(&header).unwrap().functions {
            assert!(program.contains(&format!("static void try_{}(", function.name)));
        }
        assert!(program.contains(
            "{\"astat_client_status\", \"out\", try_astat_client_status, 4, NULLED, 0, IS_REFUSED, 0},"
        ));
        assert!(program.contains(
            "{\"astat_client_status\", \"options\", try_astat_client_status, 3, NULLED, 0, WORKS, 0},"
        ));
    }

    #[test]
    fn what_nobody_knows_how_to_try_is_an_error() {
        let header = header();
        let known = "ASTAT_API size_t astat_config_key_count(void);";
        assert!(header.contains(known));
        for unknown in [
            "ASTAT_API size_t astat_config_key_count(FILE *file);",
            "ASTAT_API size_t astat_config_key_count(astat_pair *pair);",
            "ASTAT_API FILE *astat_config_key_count(void);",
            "ASTAT_API astat_pair astat_config_key_count(void);",
        ] {
            assert!(program(&header.replace(known, unknown)).is_err(), "{unknown}");
        }
    }
}
