//! Lines as people type them.

use super::*;

fn words(line: &str) -> Vec<String> {
    split(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn blanks_separate_words_and_quotes_keep_them_together() {
    for (line, wanted) in [
        ("", &[][..]),
        ("  \t ", &[]),
        ("task list", &["task", "list"]),
        ("  task\t\tlist ", &["task", "list"]),
        (
            "task add 'Накормить попугов'",
            &["task", "add", "Накормить попугов"],
        ),
        (r#"add "it's \"so\" \\ \n""#, &["add", r#"it's "so" \ \n"#]),
        (
            r"add 'a\b' a\ b \'c\\ \#",
            &["add", r"a\b", "a b", r"'c\", "#"],
        ),
        ("a '' \"\" b''c", &["a", "", "", "bc"]),
        (
            r#"--title='two 'words"and more""#,
            &["--title=two wordsand more"],
        ),
    ] {
        assert_eq!(words(line), wanted, "{line}");
    }
}

#[test]
fn a_comment_begins_a_word() {
    assert_eq!(words("# nothing"), Vec::<String>::new());
    assert_eq!(words("task list # 'all"), ["task", "list"]);
    assert_eq!(words("add C# '#1' a#b"), ["add", "C#", "#1", "a#b"]);
}

#[test]
fn nothing_is_expanded() {
    assert_eq!(
        words("$HOME * ~ `x` $(y) {a,b} a>b a|b a;b a&b !"),
        [
            "$HOME", "*", "~", "`x`", "$(y)", "{a,b}", "a>b", "a|b", "a;b", "a&b", "!"
        ]
    );
}

#[test]
fn a_line_that_is_none_is_refused_by_column_and_told_what_to_do() {
    for (line, message, hint) in [
        (
            "add Adas' task",
            "column 9: the quote ' is never closed",
            "close it on the same line; \\' is the character itself",
        ),
        (
            "ж \"x\\\"",
            "column 3: the quote \" is never closed",
            "close it on the same line; \\\" is the character itself",
        ),
        (
            "add x\\",
            "column 6: nothing follows the backslash",
            "a command is one line; \\\\ is a backslash",
        ),
        (
            "a\0b",
            "column 2: U+0000 (NUL) cannot stand in a line",
            "only visible characters, spaces and tabs are read",
        ),
        (
            "'a\u{1b}'",
            "column 3: U+001B (ESC) cannot stand in a line",
            "only visible characters, spaces and tabs are read",
        ),
        (
            "# \u{7f}",
            "column 3: U+007F (DEL) cannot stand in a line",
            "only visible characters, spaces and tabs are read",
        ),
        (
            "a \u{9b}",
            "column 3: U+009B (a control character) cannot stand in a line",
            "only visible characters, spaces and tabs are read",
        ),
        (
            "a\nb",
            "column 2: U+000A (LF) cannot stand in a line",
            "only visible characters, spaces and tabs are read",
        ),
        (
            "task list | less",
            "column 11: `|` is not supported: this shell has no pipes",
            "`--out FILE` writes a file; quote it if it is a word",
        ),
        (
            "task list >x",
            "column 11: `>` is not supported: this shell has no redirection",
            "`--out FILE` writes a file; quote it if it is a word",
        ),
        (
            "import users <x",
            "column 14: `<` is not supported: this shell has no redirection",
            "commands that read take a FILE; quote it if it is a word",
        ),
        (
            "a ; b",
            "column 3: `;` is not supported: this shell has no lists of commands",
            "give each command a line of its own; quote it if it is a word",
        ),
        (
            "a && b",
            "column 3: `&` is not supported: this shell has no jobs",
            "give each command a line of its own; quote it if it is a word",
        ),
    ] {
        let error = split(line).expect_err(line);
        assert_eq!(
            (error.to_string().as_str(), error.hint().as_str()),
            (message, hint),
            "{line}"
        );
    }
}

#[test]
fn quotes_are_written_only_where_they_are_needed() {
    for (word, wanted) in [
        ("T-12", "T-12"),
        ("--out=x.csv", "--out=x.csv"),
        ("Жанна", "Жанна"),
        ("a#b", "a#b"),
        ("", "''"),
        ("two words", "'two words'"),
        ("it's", r"'it'\''s'"),
        ("#1", "'#1'"),
        ("|", "'|'"),
        (r"a\b", r"'a\b'"),
    ] {
        assert_eq!(quote(word), wanted, "{word}");
    }
    assert_eq!(quote_as(Quoting::Double, r#"a "b" \c"#), r#""a \"b\" \\c""#);
}

#[test]
fn a_typed_word_is_known_with_its_quotes() {
    let at = |text: &str| typed(text).expect(text);
    let of = |words: &[&str], word: &str, start, quoting| Typed {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        word: word.to_owned(),
        start,
        quoting,
    };
    assert_eq!(at(""), of(&[], "", 0, Quoting::Bare));
    assert_eq!(at("task  "), of(&["task"], "", 6, Quoting::Bare));
    assert_eq!(at("task li"), of(&["task"], "li", 5, Quoting::Bare));
    assert_eq!(at("ж 'a b"), of(&["ж"], "a b", 3, Quoting::Single));
    assert_eq!(at("x \"a\\"), of(&["x"], "a", 2, Quoting::Double));
    assert_eq!(at("x a\\"), of(&["x"], "a", 2, Quoting::Bare));
    for nothing in ["# ta", "task | l", "task \u{1b}"] {
        assert_eq!(typed(nothing), None, "{nothing}");
    }
}
