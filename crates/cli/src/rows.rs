//! Reads jobs to submit: JSON, JSON lines or CSV. All of it is checked before any of it is sent.

use activity_status::Operation;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One job to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins in the file, from 1.
    pub(crate) line: u64,
    pub(crate) body: String,
}

/// What is wrong with a file: sentences that name lines, and never repeat what stands there.
type Wrong = Vec<String>;

/// Reads a file for an operation. `as_is` leaves it to the vendor which fields an activity has.
pub(crate) fn parse(bytes: &[u8], operation: &Operation, as_is: bool) -> Result<Vec<Row>, Wrong> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        vec![format!("line {line} is not text in UTF-8 (from a spreadsheet, save as \"CSV UTF-8\")")]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rows = match text.trim_start().chars().next() {
        None => return Err(vec!["it is empty".into()]),
        Some('{' | '[') => from_json(text, operation)?,
        Some(_) if *operation != Operation::ACTIVITY_CREATE => {
            return Err(vec![format!("it is not JSON, and CSV is for {} alone", Operation::ACTIVITY_CREATE)]);
        }
        Some(_) => return from_csv(text),
    };
    if rows.is_empty() {
        return Err(vec!["there is no job in it".into()]);
    }
    if *operation == Operation::ACTIVITY_CREATE && !as_is {
        let wrong: Wrong = rows.iter().filter_map(problem_of_activity).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
    }
    Ok(rows)
}

/// JSON values one after the other, each with its text as it stands: an object, an array, or JSON lines.
fn from_json(text: &str, operation: &Operation) -> Result<Vec<Row>, Wrong> {
    let mut rows = Vec::new();
    let mut lines = Lines { text, offset: 0, line: 1 };
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    loop {
        let value = match values.next() {
            None => return Ok(rows),
            Some(Ok(value)) => value.get(),
            Some(Err(error)) => {
                return Err(vec![format!("line {}: what stands there is not JSON", error.line())]);
            }
        };
        match value.as_bytes()[0] {
            b'{' => rows.push(lines.row(value)),
            b'[' if array_is_one_body(operation) => rows.push(lines.row(value)),
            b'[' => {
                let line = lines.row(value).line;
                let elements: Vec<&RawValue> =
                    serde_json::from_str(value).map_err(|_| vec![format!("line {line} is not JSON")])?;
                for element in elements {
                    let row = lines.row(element.get());
                    if !row.body.starts_with('{') {
                        return Err(vec![format!(
                            "line {} holds something else than a JSON object",
                            row.line
                        )]);
                    }
                    rows.push(row);
                }
            }
            _ => return Err(vec![format!("line {} is no JSON object", lines.row(value).line)]),
        }
    }
}

/// The body of these is a list: of a lead's attributes, as the vendor documents it, or of we do not know what.
fn array_is_one_body(operation: &Operation) -> bool {
    [Operation::LEAD_CAPTURE, Operation::LEAD_UPDATE].contains(operation)
        || !Operation::ALL.contains(operation)
}

/// Counts lines up to parts of a text that come one after the other.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
}

impl Lines<'_> {
    /// `part` must be a slice of the text.
    fn row(&mut self, part: &str) -> Row {
        let line = self.at(part.as_ptr() as usize - self.text.as_ptr() as usize);
        Row { line, body: part.to_owned() }
    }

    /// The line of what stands at `offset`, or after the line ends there. It must not be before the last one.
    fn at(&mut self, offset: usize) -> u64 {
        let ends = self.text[offset..].bytes().take_while(|b| b"\r\n".contains(b)).count();
        let passed = &self.text[self.offset..offset + ends];
        self.line += passed.bytes().filter(|b| *b == b'\n').count() as u64;
        self.offset += passed.len();
        self.line
    }
}

/// What an activity cannot do without.
fn problem_of_activity(row: &Row) -> Option<String> {
    #[derive(Deserialize)]
    struct Needed {
        #[serde(rename = "RelatedProspectId")]
        lead: Option<serde_json::Value>,
        #[serde(rename = "ActivityEvent")]
        event: Option<serde_json::Value>,
    }
    let line = row.line;
    let Ok(Needed { lead, event }) = serde_json::from_str(&row.body) else {
        return Some(format!("line {line} gives a field twice"));
    };
    let lead = lead.as_ref().and_then(|lead| lead.as_str()).is_some_and(|lead| !lead.trim().is_empty());
    let event = event.is_some_and(|event| event.is_u64());
    match (lead, event) {
        (true, true) => None,
        (false, _) => Some(format!("line {line} has no RelatedProspectId, a text that names the lead")),
        (_, false) => Some(format!("line {line} has no ActivityEvent, a number without quotes")),
    }
}

/// An activity as the vendor documents it.
#[derive(Serialize)]
pub(crate) struct Activity<'a> {
    #[serde(rename = "RelatedProspectId")]
    pub(crate) lead: &'a str,
    #[serde(rename = "ActivityEvent")]
    pub(crate) event: u64,
    #[serde(rename = "ActivityNote", skip_serializing_if = "str::is_empty")]
    pub(crate) note: &'a str,
    #[serde(rename = "ActivityDateTime", skip_serializing_if = "str::is_empty")]
    pub(crate) at: &'a str,
    #[serde(rename = "Fields", skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<Field<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Field<'a> {
    #[serde(rename = "SchemaName")]
    pub(crate) name: &'a str,
    #[serde(rename = "Value")]
    pub(crate) value: &'a str,
}

impl Activity<'_> {
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialise")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Lead,
    Event,
    Note,
    At,
    Field,
}

fn from_csv(text: &str) -> Result<Vec<Row>, Wrong> {
    let header = text.trim_start().lines().next().unwrap_or_default();
    // Spreadsheets write whatever their country does.
    let count = |delimiter: &u8| header.bytes().filter(|b| b == delimiter).count();
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',');
    if let Some(what) = misquoted(text, delimiter) {
        return Err(vec![what]);
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let unreadable = |_| vec!["it is no CSV that can be read".to_owned()];
    let names = reader.headers().map_err(unreadable)?.clone();
    let columns = columns(&names).map_err(|what| vec![what])?;
    for (needed, name) in [(Column::Lead, "RelatedProspectId"), (Column::Event, "ActivityEvent")] {
        if !columns.contains(&needed) {
            return Err(vec![format!("the first line names no column {name}")]);
        }
    }
    if let Some(name) = names.iter().enumerate().find_map(|(i, name)| {
        names.iter().take(i).any(|before| before.eq_ignore_ascii_case(name)).then_some(name)
    }) {
        return Err(vec![format!("the first line names the column {name} twice")]);
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut lines = Lines { text, offset: 0, line: 1 };
    for record in reader.records() {
        // The reader's own count of lines is another one where lines end in CR LF.
        let mut line = |at: Option<&csv::Position>| at.map_or(0, |at| lines.at(at.byte() as usize));
        let row = match record {
            Ok(record) => {
                let line = line(record.position());
                csv_row(&record, &names, &columns).map(|body| Row { line, body }).map_err(|what| (line, what))
            }
            Err(error) => Err(match error.kind() {
                csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                    (line(pos.as_ref()), format!("it has {len} columns, and the first line {expected_len}"))
                }
                _ => (line(error.position()), "it is no CSV that can be read".into()),
            }),
        };
        match row {
            Ok(row) => rows.push(row),
            Err((line, what)) => wrong.push(format!("line {line}: {what}")),
        }
    }
    match (rows.is_empty(), wrong.is_empty()) {
        (_, false) => Err(wrong),
        (true, true) => Err(vec!["it has a header and no row".into()]),
        (false, true) => Ok(rows),
    }
}

/// What is wrong with the quotes. A reader of CSV takes all up to the next quote for one cell, and rows would vanish in
/// it without a word.
fn misquoted(text: &str, delimiter: u8) -> Option<String> {
    enum At {
        CellStart,
        Bare,
        Quoted,
        /// After a quote in quotes: it ends the cell, unless another one follows.
        Quote,
    }
    let (mut at, mut line, mut opened) = (At::CellStart, 1, 1);
    for byte in text.bytes() {
        at = match (at, byte) {
            (At::CellStart, b'"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) | (At::Quote, b'"') => At::Quoted,
            (_, byte) if byte == delimiter || b"\r\n".contains(&byte) => At::CellStart,
            (At::Quote, _) => {
                return Some(format!(
                    "line {opened}: a quote is opened here, and the next one, on line {line}, does not end the cell \
                     (a quote inside of quotes is written twice)"
                ));
            }
            _ => At::Bare,
        };
        line += u64::from(byte == b'\n');
    }
    matches!(at, At::Quoted).then(|| format!("line {opened}: a quote is opened here and never closed"))
}

const COLUMNS: &str = "RelatedProspectId, ActivityEvent, ActivityNote, ActivityDateTime and mx_…";

/// A name that is unknown is repeated only beside a known one: the first line of what is no CSV may be anything.
fn columns(names: &csv::StringRecord) -> Result<Vec<Column>, String> {
    let found: Vec<Option<Column>> = names.iter().map(column).collect();
    match names.iter().zip(&found).find(|(_, column)| column.is_none()) {
        None => Ok(found.into_iter().flatten().collect()),
        Some((name, _)) if found.iter().any(Option::is_some) => {
            Err(format!("line 1: {name:?} is no column; there are {COLUMNS}"))
        }
        Some(_) => Err(format!(
            "line 1 names none of the columns that there are: {COLUMNS}; is the header line missing?"
        )),
    }
}

fn column(name: &str) -> Option<Column> {
    Some(match name.to_ascii_lowercase().as_str() {
        "relatedprospectid" => Column::Lead,
        "activityevent" => Column::Event,
        "activitynote" => Column::Note,
        "activitydatetime" => Column::At,
        custom if custom.starts_with("mx_") => Column::Field,
        _ => return None,
    })
}

/// The activity of a row, as JSON.
fn csv_row(
    record: &csv::StringRecord,
    names: &csv::StringRecord,
    columns: &[Column],
) -> Result<String, String> {
    let cell = |column| {
        columns.iter().position(|it| *it == column).and_then(|at| record.get(at)).unwrap_or_default()
    };
    let fields = names.iter().zip(record).zip(columns);
    let event = cell(Column::Event).trim().parse().map_err(|_| "ActivityEvent is not a number")?;
    let activity = Activity {
        lead: cell(Column::Lead).trim(),
        event,
        note: cell(Column::Note),
        at: cell(Column::At).trim(),
        fields: fields
            .filter(|((_, value), column)| **column == Column::Field && !value.is_empty())
            .map(|((name, value), _)| Field { name, value })
            .collect(),
    };
    if activity.lead.is_empty() {
        return Err("RelatedProspectId is empty".into());
    }
    if !activity.at.is_empty() && !is_date_time(activity.at) {
        return Err("ActivityDateTime is not UTC in the form 2026-01-31 09:30:00".into());
    }
    Ok(activity.body())
}

/// `2026-01-31 09:30:00`, with every number in its range.
fn is_date_time(text: &str) -> bool {
    let shape = text.len() == 19
        && text.bytes().zip(b"dddd-dd-dd dd:dd:dd").all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == *form,
        });
    let number = |from: usize| text[from..from + 2].parse().unwrap_or(99_u8);
    let within = |from, least, most| (least..=most).contains(&number(from));
    shape
        && within(5, 1, 12)
        && within(8, 1, 31)
        && within(11, 0, 23)
        && within(14, 0, 59)
        && within(17, 0, 59)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVITY: Operation = Operation::ACTIVITY_CREATE;

    fn read(text: &str) -> Result<Vec<Row>, Wrong> {
        parse(text.as_bytes(), &ACTIVITY, false)
    }

    fn lines(rows: &[Row]) -> Vec<u64> {
        rows.iter().map(|row| row.line).collect()
    }

    const ONE: &str = r#"{"RelatedProspectId":"a", "ActivityEvent":1.0e0}"#;

    #[test]
    fn json_comes_as_an_object_an_array_or_lines_and_is_kept_as_it_stands() {
        let one =
            "{ \"RelatedProspectId\" : \"é\",\r\n\t\"ActivityEvent\":201, \"ActivityNote\":\"\\u00e9\" }";
        let object = read(&format!("\u{feff}\n{one}\n")).unwrap();
        assert_eq!(object, [Row { line: 2, body: one.into() }]);
        let array = read(&format!("[\n{one},\n{one}]")).unwrap();
        assert_eq!((lines(&array), array[1].body.as_str()), (vec![2, 4], one));
        let json_lines = read(&format!("{one}\n\n{one}\n")).unwrap();
        assert_eq!((lines(&json_lines), json_lines[1].body.as_str()), (vec![1, 4], one));
    }

    #[test]
    fn an_array_is_one_body_where_the_vendor_takes_one() {
        let text = r#"[{"Attribute":"FirstName","Value":"Asha"}, {"Attribute":"City","Value":"Pune"}]"#;
        let rows = |operation| parse(text.as_bytes(), &operation, false).map(|rows| rows.len());
        assert_eq!(rows(Operation::LEAD_CAPTURE), Ok(1));
        assert_eq!(rows(Operation::LEAD_UPDATE), Ok(1));
        assert_eq!(rows(Operation::custom("x", "/x").unwrap()), Ok(1));
        assert_eq!(rows(Operation::OPPORTUNITY_CAPTURE), Ok(2));
        let per_line = format!("{text}\n{text}");
        assert_eq!(parse(per_line.as_bytes(), &Operation::LEAD_CAPTURE, false).unwrap().len(), 2);
    }

    #[test]
    fn every_bad_activity_is_named() {
        let text = format!(
            "{{\"ActivityEvent\":1}}\n{}\n{{\"RelatedProspectId\":\"a\",\"ActivityEvent\":\"1\"}}",
            r#"{"RelatedProspectId":"a","ActivityEvent":1}"#
        );
        let wrong = read(&text).unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("line 1 has no RelatedProspectId"));
        assert!(wrong[1].starts_with("line 3 has no ActivityEvent"));
        assert_eq!(parse(text.as_bytes(), &ACTIVITY, true).unwrap().len(), 3);
        assert!(read(ONE).is_err());
    }

    #[test]
    fn what_is_no_job_is_named_and_not_repeated() {
        for (text, line) in [
            ("{\"s3cr3t\":\n1,\n}", "line 3"),
            ("{}\n7", "line 2"),
            ("{}\ns3cr3t", "line 2"),
            ("[{},\n\"s3cr3t\"]", "line 2"),
            ("[[]]", "line 1"),
            ("s3cr3t = 1", "line 1 names none"),
            ("s3cr3t,1,note", "header line missing"),
            (" \n", "empty"),
            ("[]", "no job"),
            ("[\n]\n[]", "no job"),
        ] {
            let wrong = parse(text.as_bytes(), &ACTIVITY, true).unwrap_err().join("; ");
            assert!(wrong.contains(line) && !wrong.contains("s3cr3t"), "{text:?}: {wrong}");
        }
        assert!(parse(b"{}\n{\"a\":\"\xff\"}", &ACTIVITY, true).unwrap_err()[0].contains("line 2"));
        assert!(parse(b"a,b\n1,2", &Operation::LEAD_CAPTURE, true).unwrap_err()[0].contains("CSV"));
    }

    #[test]
    fn csv_becomes_activities() {
        let text = "\u{feff}RelatedProspectId, activityevent,ActivityNote,ActivityDateTime,mx_Custom_1,mx_Custom_2\r\n\
                    a,201,\"said \"\"yes\"\",\nthen left\",2026-01-31 09:30:00,x,\r\n\
                    \r\n\
                    b,202,,,,\r\n";
        let rows = read(text).unwrap();
        assert_eq!(lines(&rows), [2, 5]);
        assert_eq!(
            rows[0].body,
            r#"{"RelatedProspectId":"a","ActivityEvent":201,"ActivityNote":"said \"yes\",\nthen left","ActivityDateTime":"2026-01-31 09:30:00","Fields":[{"SchemaName":"mx_Custom_1","Value":"x"}]}"#
        );
        assert_eq!(rows[1].body, r#"{"RelatedProspectId":"b","ActivityEvent":202}"#);
        assert_eq!(read("RelatedProspectId;ActivityEvent\na;1").unwrap().len(), 1);
        assert_eq!(read("RelatedProspectId\tActivityEvent\na\t1").unwrap().len(), 1);
    }

    #[test]
    fn a_bad_csv_is_refused_with_its_lines() {
        let header = "RelatedProspectId,ActivityEvent,ActivityDateTime\n";
        for (text, words) in [
            ("a,x,\n,1,\nb,1,2026-13-01 00:00:00\n", &["line 2", "line 3", "line 4"][..]),
            ("a,1\n", &["line 2: it has 2 columns"]),
            ("", &["no row"]),
        ] {
            let wrong = read(&format!("{header}{text}")).unwrap_err();
            assert!(words.iter().zip(&wrong).all(|(word, what)| what.contains(word)), "{wrong:?}");
            assert_eq!(wrong.len(), words.len());
        }
        for (header, word) in [
            ("RelatedProspectId,City\n", "line 1: \"City\" is no column; there are RelatedProspectId, "),
            ("RelatedProspectId,ActivityNote\n", "ActivityEvent"),
            ("RelatedProspectId,ActivityEvent,relatedprospectid\n", "twice"),
        ] {
            assert!(read(header).unwrap_err()[0].contains(word));
        }
    }

    #[test]
    fn a_quote_that_would_swallow_rows_is_refused_with_its_line() {
        let header = "RelatedProspectId,ActivityEvent,ActivityNote\r\n";
        for (text, words) in [
            ("a,1,\"left\r\nb,2,c\r\n", "line 2: a quote is opened here and never closed"),
            ("a,1,x\n\nb,2,\"c\"\"\nd,3,e", "line 4: a quote is opened here and never closed"),
            ("a,1,x\nb,2,\"", "line 3: a quote is opened here and never closed"),
            ("a,1,\"left\nb,2,\"right\"\n", "line 2: a quote is opened here, and the next one, on line 3,"),
            ("a,1,\"x\ny\"z\n", "line 2: a quote is opened here, and the next one, on line 3,"),
        ] {
            let wrong = read(&format!("{header}{text}")).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].starts_with(words), "{text:?}: {wrong:?}");
        }
        let tabs = "RelatedProspectId\tActivityEvent\tActivityNote\na\t1\t\"x\n";
        assert!(read(tabs).unwrap_err()[0].starts_with("line 2: a quote"));
        for (text, notes) in [
            ("a,1,\"one\ntwo\"\nb,2,\"\"\"so\"\"\"\n", &["one\ntwo", "\"so\""][..]),
            ("a,1,5\" pipe\nb,2,\"\"\nc,3,\"\"\"\"", &["5\" pipe", "", "\""]),
            ("\"a\",\"1\",\"x, y\"\r\n\"b\",2,z", &["x, y", "z"]),
        ] {
            let rows = read(&format!("{header}{text}")).unwrap();
            let note = |row: &Row| {
                let body: serde_json::Value = serde_json::from_str(&row.body).unwrap();
                body["ActivityNote"].as_str().unwrap_or_default().to_owned()
            };
            assert_eq!(rows.iter().map(note).collect::<Vec<_>>(), notes, "{text:?}");
        }
    }

    #[test]
    fn date_times_are_checked() {
        assert!(is_date_time("2026-01-31 09:30:00"));
        for bad in
            ["2026-01-31T09:30:00", "2026-1-31 09:30:00", "2026-01-32 09:30:00", "2026-01-31 24:00:00", "é"]
        {
            assert!(!is_date_time(bad), "{bad}");
        }
    }
}
