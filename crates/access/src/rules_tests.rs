use super::*;

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    rules: RuleTable,
    groups: BTreeMap<String, RuleTable>,
    users: BTreeMap<String, RuleTable>,
}

fn all_rules(file: &str) -> AllRules {
    let file: File = toml::from_str(file).unwrap();
    AllRules::new(&file.rules, file.groups, file.users)
}

fn groups(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_a_word_everybody_has_the_defaults() {
    assert_eq!(all_rules("").rules_for("alice", &groups(&["staff"])), Rules::default());
}

#[test]
fn a_group_overrides_the_rules_and_a_user_the_groups() {
    let all_rules = all_rules(
        "
        [rules]
        sessions = 1
        weight = 2
        questions_per_minute = 10
        [groups.guests]
        sessions = 3
        questions_per_minute = 5
        prompt = 'Who is there?'
        [users.alice]
        groups = ['guests']
        sessions = 2
        interval = 2
        ",
    );
    let anybody = all_rules.rules_for("bob", &[]);
    assert_eq!((anybody.sessions, anybody.weight, anybody.questions_per_minute), (1, 2, 10));
    // Also where it is less.
    let guest = all_rules.rules_for("bob", &groups(&["guests", "unknown"]));
    assert_eq!((guest.sessions, guest.weight, guest.questions_per_minute), (3, 2, 5));
    let alice = all_rules.rules_for("alice", &[]);
    assert_eq!((alice.sessions, alice.weight, alice.questions_per_minute), (2, 2, 5));
    assert_eq!(alice.prompt.as_deref(), Some("Who is there?"));
    assert_eq!(alice.interval, Some(Duration::from_secs(2)));
}

#[test]
fn of_several_groups_the_most_generous_of_each_limit_counts() {
    let all_rules = all_rules(
        "
        [groups.a]
        weight = 5
        sessions = 10
        questions_per_minute = 0
        tokens_per_day = 1000
        models = ['llava*']
        own_api_base = false
        model = 'llava:7b'
        [groups.b]
        weight = 3
        sessions = 20
        questions_per_minute = 600
        offers_per_minute = 7
        tokens_per_day = 500
        models = ['qwen*', 'llava*']
        own_api_base = true
        model = 'qwen'
        max_tokens = 9
        ",
    );
    for names in [["a", "b"], ["b", "a"]] {
        let rules = all_rules.rules_for("alice", &groups(&names));
        assert_eq!((rules.weight, rules.sessions), (5, 20));
        // 0 is no limit, and more than any.
        assert_eq!((rules.questions_per_minute, rules.tokens_per_day), (0, 1000));
        assert_eq!(rules.offers_per_minute, 7);
        assert!(rules.own_api_base);
        assert!(rules.allows_model("qwen2.5vl") && rules.allows_model("llava:7b"));
        assert_eq!(rules.models.len(), 2);
        let first = if names[0] == "a" { "llava:7b" } else { "qwen" };
        assert_eq!(rules.model.as_deref(), Some(first));
        assert_eq!(rules.max_tokens, Some(9));
    }
}

#[test]
fn patterns_stand_for_models() {
    let with = |pattern: &str| Rules { models: vec![pattern.to_owned()], ..Rules::default() };
    assert!(with("*").allows_model("Qwen/Qwen2.5-VL-7B"));
    assert!(with("Qwen/*-7B").allows_model("Qwen/Qwen2.5-VL-7B"));
    assert!(with("llava:?b").allows_model("llava:7b"));
    assert!(!with("llava:?b").allows_model("llava:13b"));
    assert!(!with("qwen").allows_model("qwen2"));
    assert!(!Rules { models: Vec::new(), ..Rules::default() }.allows_model("x"));
}
