//! What the header declares, for the programs that are generated from it.
//!
//! It reads what cbindgen writes and no other C; what it does not know is an error, so that nothing is left out.

/// The header's declarations, in its order.
pub(crate) struct Declarations {
    pub(crate) functions: Vec<Function>,
    /// By-value structs.
    pub(crate) structs: Vec<Struct>,
    /// Names of macros that are a value.
    pub(crate) constants: Vec<String>,
    /// Names of types that are known by a pointer alone.
    pub(crate) handles: Vec<String>,
    /// Names of types that point to a function.
    pub(crate) callbacks: Vec<String>,
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) result: String,
    pub(crate) parameters: Vec<Variable>,
    /// Its comment as one line.
    pub(crate) says: String,
    /// All of it as C, without the semicolon.
    pub(crate) declaration: String,
}

pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) members: Vec<Variable>,
}

/// A parameter or a member.
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Its type, with one space between two words; `(*)` if it points to a function.
    pub(crate) kind: String,
    /// Its comment as one line.
    pub(crate) says: String,
}

impl Declarations {
    pub(crate) fn of(header: &str) -> Result<Self, String> {
        let mut all = Declarations {
            functions: vec![],
            structs: vec![],
            constants: vec![],
            handles: vec![],
            callbacks: vec![],
        };
        let mut rest = header.split_once("extern \"C\" {").ok_or("it has no extern \"C\"")?.1;
        let mut says = String::new();
        while let Some(line) = rest.lines().next() {
            if line.starts_with("/*") {
                let (comment, after) = rest.split_once("*/").ok_or("a comment does not end")?;
                (says, rest) = (one_line(comment), after);
            } else if line.starts_with('#') {
                // A macro's further lines are after a backslash.
                let mut end = 0;
                for line in rest.split_inclusive('\n') {
                    end += line.len();
                    if !line.trim_end().ends_with('\\') {
                        break;
                    }
                }
                all.macro_of(&rest[..end]);
                rest = &rest[end..];
            } else if line.starts_with("ASTAT_INLINE") {
                rest = rest.split_once("\n}").ok_or_else(|| format!("no end: {line}"))?.1;
            } else if line.trim().is_empty() || line == "}" {
                rest = &rest[(line.len() + 1).min(rest.len())..];
            } else {
                let (declaration, after) = declaration(rest).ok_or_else(|| format!("no end: {line}"))?;
                all.declaration_of(declaration, std::mem::take(&mut says))?;
                rest = after;
            }
        }
        let some =
            |count: usize, what: &str| if count > 0 { Ok(()) } else { Err(format!("it has no {what}")) };
        some(all.functions.len(), "function")?;
        some(all.structs.len(), "struct")?;
        some(all.constants.len(), "constant")?;
        Ok(all)
    }

    pub(crate) fn structure(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|it| it.name == name)
    }

    fn macro_of(&mut self, line: &str) {
        let Some(name) =
            line.strip_prefix("#define ").and_then(|rest| rest.split(char::is_whitespace).next())
        else {
            return;
        };
        if name.starts_with("ASTAT_") && !name.contains('(') && !line.contains('{') {
            self.constants.push(name.to_owned());
        }
    }

    fn declaration_of(&mut self, declaration: &str, says: String) -> Result<(), String> {
        if let Some(body) = declaration.strip_prefix("typedef struct {") {
            let (members, name) = body.rsplit_once('}').ok_or("a struct does not end")?;
            self.structs.push(Struct { name: name.trim().to_owned(), members: members_of(members)? });
        } else if let Some(name) = declaration.strip_prefix("typedef struct ") {
            let name = name.split(' ').next_back().unwrap_or_default();
            self.handles.push(name.to_owned());
        } else if let Some(alias) = declaration.strip_prefix("typedef ") {
            if let Some((_, name)) = alias.split_once("(*") {
                self.callbacks.push(name.split(')').next().unwrap_or_default().to_owned());
            }
        } else if let Some(function) = declaration.strip_prefix("ASTAT_API") {
            self.functions.push(function_of(function, says)?);
        } else {
            return Err(format!("it is not known what this declares: {declaration}"));
        }
        Ok(())
    }
}

/// All up to the semicolon that ends a declaration, and what follows it.
fn declaration(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            // A comment in a struct may hold a semicolon, so only those outside count.
            ';' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn function_of(text: &str, says: String) -> Result<Function, String> {
    let text = one_line(text);
    let text = text.strip_prefix("ASTAT_NODISCARD ").unwrap_or(&text);
    let wrong = || format!("it is not a function: {text}");
    let declaration = text.to_owned();
    let (head, parameters) = text.split_once('(').ok_or_else(wrong)?;
    let parameters = parameters.strip_suffix(')').ok_or_else(wrong)?;
    let head = variable(head, String::new())?;
    let parameters = if parameters == "void" { vec![] } else { split(parameters) };
    let parameters =
        parameters.into_iter().map(|it| variable(it, String::new())).collect::<Result<_, _>>()?;
    Ok(Function { name: head.name, result: head.kind, parameters, says, declaration })
}

fn members_of(text: &str) -> Result<Vec<Variable>, String> {
    let mut members = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (comment, after) = rest.split_once("*/").ok_or("a member has no comment")?;
        let (member, after) = after.split_once(';').ok_or("a member does not end")?;
        members.push(variable(&one_line(member), one_line(comment))?);
        rest = after.trim();
    }
    Ok(members)
}

/// Splits parameters at the commas between them.
fn split(parameters: &str) -> Vec<&str> {
    let mut depth = 0;
    parameters
        .split(|character| {
            depth += i32::from(character == '(') - i32::from(character == ')');
            character == ',' && depth == 0
        })
        .map(str::trim)
        .collect()
}

fn variable(text: &str, says: String) -> Result<Variable, String> {
    let text = text.trim();
    if let Some((_, name)) = text.split_once("(*") {
        let name = name.split(')').next().unwrap_or_default();
        return Ok(Variable { name: name.to_owned(), kind: "(*)".to_owned(), says });
    }
    let start = text.rfind(|it: char| !it.is_ascii_alphanumeric() && it != '_').map_or(0, |at| at + 1);
    let (kind, name) = text.split_at(start);
    if name.is_empty() || kind.trim().is_empty() {
        return Err(format!("it has no name or no type: {text}"));
    }
    Ok(Variable { name: name.to_owned(), kind: kind.trim().to_owned(), says })
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !["*", "/**", "/*"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * A number; or none.
 */
#define ASTAT_NONE UINT64_MAX

/**
 * A handle.
 */
typedef struct astat_job astat_job;

typedef int32_t astat_code;

typedef const astat_ops *(*astat_open)(void *user,
                                       void **context);

/**
 * Functions; more later.
 */
typedef struct {
    /**
     * Its size; set it.
     */
    size_t struct_size;
    /**
     * Required.
     */
    int32_t (*get)(void *context, uint64_t *wait);
} astat_ops;

/**
 * Gives it. job may be NULL.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_job_get(const astat_job *job,
                         void (*work)(void *context, uint32_t worker), astat_job **out);

/** No argument. */
ASTAT_API size_t astat_job_count(void);

ASTAT_INLINE astat_str astat_text(const char *ptr, size_t len)
{
    return text;
}

#define ASTAT_LIT(text) astat_text("" text, sizeof(text) - 1)

#define ASTAT_OPS_INIT \
    {sizeof(astat_ops), NULL}

#ifdef __cplusplus
}
#endif
"#;

    fn told(variables: &[Variable]) -> Vec<(&str, &str)> {
        variables.iter().map(|it| (it.kind.as_str(), it.name.as_str())).collect()
    }

    #[test]
    fn a_header_is_read() {
        let all = Declarations::of(HEADER).unwrap();
        assert_eq!(all.constants, ["ASTAT_NONE"]);
        assert_eq!(all.handles, ["astat_job"]);
        assert_eq!(all.callbacks, ["astat_open"]);
        let ops = all.structure("astat_ops").unwrap();
        assert_eq!(told(&ops.members), [("size_t", "struct_size"), ("(*)", "get")]);
        assert_eq!(ops.members[1].says, "Required.");
        let [get, count] = &all.functions[..] else { panic!("{}", all.functions.len()) };
        assert_eq!((get.name.as_str(), get.result.as_str()), ("astat_job_get", "astat_code"));
        assert_eq!(
            told(&get.parameters),
            [("const astat_job *", "job"), ("(*)", "work"), ("astat_job **", "out")]
        );
        assert_eq!(get.says, "Gives it. job may be NULL.");
        assert_eq!((count.name.as_str(), count.parameters.len()), ("astat_job_count", 0));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert!(Declarations::of("int x;").is_err());
        assert!(Declarations::of(&HEADER.replace("ASTAT_API size_t", "size_t")).is_err());
        assert!(
            Declarations::of(&HEADER.replace("typedef struct astat_job astat_job;", "union x y;")).is_err()
        );
    }
}
