//! Templates of settings: what they say of a call, what is wrong with them, and that nothing harms.

use std::collections::BTreeSet;

use perezvon::{
    logic::template::{
        self, Fault, LINE, Problem, Shape,
        fields::{self, FIELDS, explained, filters_explained},
        samples,
    },
    settings::Language,
};
use proptest::prelude::*;

/// A client's call with a transfer; a company's missed call; a stranger's that says as little as a call can.
const TALKED: usize = 0;
const MISSED: usize = 1;
const BARE: usize = 2;

fn said(source: &str, sample: usize) -> String {
    template::render(source, Shape::Line, &samples()[sample])
        .unwrap_or_else(|fault| panic!("{source}: {fault:?}"))
}

fn fails(source: &str) -> Problem {
    template::render(source, Shape::Line, &samples()[TALKED]).expect_err(source).problem
}

#[test]
fn every_field_is_in_the_catalogue_and_every_entry_is_a_field() {
    let there: BTreeSet<String> = samples().iter().flat_map(template::Values::names).collect();
    let listed: BTreeSet<String> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
    assert_eq!(there, listed);
}

#[test]
fn every_field_and_filter_is_explained_in_both_languages_with_an_example() {
    for language in [Language::Ru, Language::En] {
        for one in explained(language).into_iter().chain(filters_explained(language)) {
            assert!(!one.example.is_empty(), "{}: no example", one.name);
            assert!(!one.meaning.starts_with("template."), "{}: {}", one.name, one.meaning);
        }
    }
}

#[test]
fn a_template_says_what_the_call_was() {
    let table = [
        ("{{ client.name }}, {{ phone }}", TALKED, "Иван Петров, +79161234567"),
        ("Звонок {{ client.phone_pretty }}", BARE, "Звонок +7 916 123-45-67"),
        ("{{ client.phone_national }}", BARE, "8 (916) 123-45-67"),
        ("{{ trunk.name or \"Сайт\" }}/{{ trunk.id }}", TALKED, "Сайт/msk"),
        ("{{ trunk.name or 'без линии' }}", BARE, "без линии"),
        ("{{ did|default('нет') }}", BARE, "нет"),
        ("{{ employee.name }} ({{ employee.extension }})", TALKED, "Борис Кузнецов (102)"),
        ("{{ employees|map(attribute='name')|join(' → ') }}", TALKED, "Анна Смирнова → Борис Кузнецов"),
        (
            "{% for one in employees if one.talked %}{{ one.extension }}:{{ one.talk_seconds|duration }} {% endfor %}",
            TALKED,
            "101:0:28 102:1:32",
        ),
        ("{{ call.started_at|date }} {{ call.started_at|time }}", TALKED, "20.11.2026 10:05"),
        (
            "{{ call.started_at|time('%H:%M:%S') }} ждал {{ call.wait_seconds }} с",
            MISSED,
            "10:05:07 ждал 34 с",
        ),
        ("{{ call.answered_at|time }}", MISSED, ""),
        (
            "{{ call.kind }} {{ call.direction }} {{ call.outcome }} {{ call.missed_at }}",
            MISSED,
            "missed inbound missed ringing",
        ),
        (
            "{{ client.known }}/{{ client.kind }}/{{ company.id }}{{ contact.id }}",
            MISSED,
            "true/company/45678913",
        ),
        ("{{ client.known }}/{{ client.open_leads }}", BARE, "false/0"),
        ("{{ lead.id }} {{ lead.pipeline }} {{ lead.status }}", TALKED, "34567891 1357911 13579114"),
        ("{{ 1 + call.talk_seconds }} {{ (call.talk_seconds / 60)|round(1) }}", TALKED, "121 2.0"),
        ("{{ 5|plural('раз', 'раза', 'раз') }} {{ 2|plural('call', 'calls') }}", BARE, "раз calls"),
        (
            "{{ 3725|duration }} {{ '74951234567'|phone }} {{ '101'|phone }}",
            BARE,
            "1:02:05 +7 495 123-45-67 101",
        ),
        ("{{ client.name|translit|upper }}", TALKED, "IVAN PETROV"),
        ("{{ client.name|cut(4) }}|{{ client.name|cut(40) }}", TALKED, "Иван…|Иван Петров"),
        ("{% if call.talk_seconds > 30 %}долгий{% else %}короткий{% endif %}", TALKED, "долгий"),
        (
            "{# слова #}{% set who = employee.name ~ ' ' ~ employee.extension %}{{ who }}",
            TALKED,
            "Борис Кузнецов 102",
        ),
        ("{{ recording.link or 'нет записи' }}", BARE, "нет записи"),
        ("<b>{{ client.name }} & Ko</b>", TALKED, "<b>Иван Петров & Ko</b>"),
    ];
    for (source, sample, expected) in table {
        assert_eq!(said(source, sample), expected, "{source}");
        assert_eq!(template::check(source), [], "{source}");
    }
}

#[test]
fn the_old_spelling_of_the_number_is_understood() {
    assert_eq!(said("Звонок {phone}", BARE), "Звонок +79161234567");
    assert_eq!(said("{phone} и {name}", BARE), "+79161234567 и {name}");
    assert_eq!(said("{{ phone }} {phone}", BARE), "+79161234567 {phone}", "Jinja is read as Jinja");
    assert_eq!(said("50 % {скидка}", BARE), "50 % {скидка}");
}

#[test]
fn what_a_call_does_not_have_is_empty_and_never_a_word() {
    for name in FIELDS.iter().map(|field| field.name).chain(["lead.tags.first", "nothing", "nothing.at.all"])
    {
        let forms = [
            format!("{{{{ {name} }}}}"),
            format!("{{{{ {name}.more.of_it }}}}"),
            format!("{{{{ {name}[0].x }}}}"),
            format!("{{{{ \"\" ~ {name}.none }}}}"),
            format!("{{% for one in {name}.items_ %}}{{{{ one.a.b }}}}{{% endfor %}}"),
            format!("{{{{ {name}.no|date }}}}{{{{ {name}.no|duration }}}}{{{{ {name}.no|phone }}}}"),
            format!("{{{{ {name}.no|upper|trim|digits|translit|cut(3)|default('') }}}}"),
        ];
        for (at, form) in forms.iter().enumerate() {
            for sample in [TALKED, MISSED, BARE] {
                let text = said(form, sample);
                let lower = text.to_lowercase();
                assert!(!lower.contains("none") && !lower.contains("undefined"), "{form}: {text}");
                assert!(at == 0 || text.is_empty(), "{form}: {text}");
            }
        }
    }
    assert_eq!(said("{{ none }}", BARE), "");
}

#[test]
fn conditions_hold_or_not() {
    let holds = |source: &str, sample| template::holds(source, &samples()[sample]).unwrap();
    for (source, talked, bare) in [
        ("call.talk_seconds > 30", true, false),
        ("client.known and lead.id", true, false),
        ("trunk.name == 'Сайт'", true, false),
        ("did is not defined", false, true),
        ("'101' in employees|map(attribute='extension')", true, false),
        ("call.started_at|time('%H')|int < 12", true, true),
        ("{{ client.known }}", true, false),
        ("{% if not client.known %}да{% endif %}", false, true),
        ("{{ 0 }}", false, false),
        ("nothing.at.all", false, false),
    ] {
        assert_eq!((holds(source, TALKED), holds(source, BARE)), (talked, bare), "{source}");
    }
    assert!(template::holds("call.talk_seconds >", &samples()[BARE]).is_err());
    assert!(template::holds("1 +* 2", &samples()[BARE]).is_err());
}

#[test]
fn slips_are_found_with_their_place() {
    let faults = |source: &str| -> Vec<String> {
        template::check(source).iter().map(|fault| fault.say(Language::En)).collect()
    };
    for (source, expected) in [
        ("{{ trunk.nmae }}", "line 1, letter 4: there is no field trunk.nmae; did you mean trunk.name?"),
        (
            "Жалоба {{ phone }}\n  {{ talk_seconds }}",
            "line 2, letter 6: there is no field talk_seconds; did you mean call.talk_seconds?",
        ),
        (
            "{{ qwertz }}",
            "line 1, letter 4: there is no field qwertz; `perezvon settings fields` shows all there are",
        ),
        (
            "Ж {{ phone|upercase }}",
            "line 1, letter 12: there is no filter upercase; `perezvon settings fields` shows all there are",
        ),
        (
            "{% if did %}{{ call.started_at|dat }}{% endif %}",
            "line 1, letter 32: there is no filter dat; did you mean date?",
        ),
        ("{{ phone is definde }}", "line 1, letter 13: there is no filter definde"),
        (
            "{{ client.phone.prety }}",
            "line 1, letter 4: there is no field client.phone.prety; did you mean client.phone_pretty?",
        ),
    ] {
        let said = faults(source);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{source}: {said:?}");
    }
    let syntax = |source: &str| {
        matches!(template::check(source).as_slice(), [Fault { problem: Problem::Syntax(_), .. }])
    };
    for source in [
        "{{ phone",
        "{% if phone %}",
        "{{ phone | }}",
        "{% endif %}",
        "{{ 'a }}",
        "{{ a b }}",
        "{% include 'x' ",
    ] {
        assert!(syntax(source), "{source}: {:?}", template::check(source));
    }
    assert_eq!(template::check("{{ phone }}\n{{ x }}\n{{ y }}").len(), 2);
    for good in [
        "plain",
        "100 % {x}",
        "{{ client }}",
        "{% set did2 = did %}{{ did2 }}",
        "{% for e in employees %}{{ loop.index }}{{ e.name }}{% endfor %}",
    ] {
        assert_eq!(template::check(good), [], "{good}");
    }
}

#[test]
fn slips_in_conditions_have_their_place_too() {
    let place = |source: &str| {
        let faults = template::check_condition(source);
        faults.first().map(|fault| (fault.line, fault.column))
    };
    assert_eq!(place("client.known"), None);
    assert_eq!(place(""), None);
    assert_eq!(place("client.knwon and true"), Some((1, 1)));
    assert_eq!(place("did and\n  client.knwon"), Some((2, 3)));
    assert_eq!(place("{{ client.knwon }}"), Some((1, 4)));
    assert!(place("call.talk_seconds >").is_some());
}

#[test]
fn what_fails_with_every_call_is_said_when_settings_are_read() {
    for source in [
        "{{ call.started_at|date('%Q') }}",
        "{{ phone|date }}",
        "{{ 1 / 0 }}",
        "{{ phone + 1 }}",
        "{% include 'a' %}",
        "{{ range(5) }}",
    ] {
        assert_eq!(template::check(source).len(), 1, "{source}");
    }
}

#[test]
fn no_template_runs_for_ever_or_writes_without_end_or_reads_a_file() {
    let endless = "{% for a in 'x'*10000 %}{% for b in 'x'*10000 %}{% endfor %}{% endfor %}";
    assert_eq!(fails(endless), Problem::Endless);
    let deep = fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
    assert!(matches!(deep, Problem::Failed(_) | Problem::Endless), "{deep:?}");
    assert_eq!(fails("{{ 'щ' * 1000000 }}"), Problem::LongOutput);
    assert_eq!(fails(&format!("{{{{ phone }}}}{}", " ".repeat(template::SOURCE))), Problem::LongSource);
    for source in
        ["{% include '/etc/passwd' %}", "{% extends '/etc/passwd' %}", "{% import '/etc/passwd' as x %}"]
    {
        assert!(matches!(fails(source), Problem::Failed(_)), "{source}");
    }
    assert!(matches!(fails("{{ 'x' * 1000000000 }}"), Problem::Failed(_)));
    assert!(matches!(fails("{{ namespace() }}"), Problem::Failed(_)));
}

#[test]
fn a_text_keeps_its_lines_and_a_name_has_one() {
    let source = "Звонок\n\u{7}{{ phone }}  \n";
    assert_eq!(said(source, BARE), "Звонок +79161234567");
    let text = template::render(source, Shape::Text, &samples()[BARE]).unwrap();
    assert_eq!(text, "Звонок\n+79161234567");
    assert_eq!(said("{{ 'ю' * 1000 }}", BARE).chars().count(), LINE);
}

#[test]
fn the_catalogue_knows_its_names() {
    assert!(fields::is_known("client") && fields::is_known("client.name"));
    assert!(!fields::is_known("clien") && !fields::is_known("client.nam"));
    assert_eq!(fields::nearest("cliet.name"), Some("client.name"));
    assert_eq!(fields::nearest("zzz"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_panics(source in r#"(\{\{|\}\}|\{%|%\}|\{#|#\}| |\||'|"|\\|щ|phone|client\.name|employees|call\.started_at|date|cut\(2\)|for x in|endfor|if|endif|is|not|~|\.|,|\[0\]|[0-9(){}*+-]){0,14}"#) {
        for fault in template::check(&source) {
            prop_assert!(fault.line >= 1 && fault.column >= 1);
            prop_assert!(fault.line <= source.matches('\n').count() + 1);
            for language in [Language::Ru, Language::En] {
                prop_assert!(!fault.say(language).is_empty());
            }
        }
        let _ = template::check_condition(&source);
        for values in samples() {
            let _ = template::holds(&source, values);
            if let Ok(text) = template::render(&source, Shape::Line, values) {
                prop_assert!(text.chars().count() <= LINE);
                prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
