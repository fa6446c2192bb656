//! The modules of the crate as their sources declare them, and what each of them names.
//!
//! Files are parsed, not searched: a path counts wherever it stands, in a `use` tree, a type, an
//! expression or the tokens of a macro, before or after the modules of tests. Code that only tests
//! are built of does not count, nor do files that only such code declares.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

/// Names from the root of the crate, without `crate`.
pub type Path = Vec<String>;

/// A module with a file of its own.
pub struct Module {
    /// Relative to `src`.
    pub file: String,
    /// Every path that the file names and that begins in this crate, as it would be found from the
    /// root; for names that are imported, both the import and each use.
    pub paths: BTreeSet<Path>,
    /// The first two names of every other path: `std::fs`, `serde_json::Value`, `f64`.
    pub foreign: BTreeSet<Path>,
    /// The names of all methods that the file calls.
    pub methods: BTreeSet<String>,
    /// The names of the items that the file declares.
    declared: BTreeSet<String>,
    names: BTreeMap<String, Path>,
    globs: Vec<Path>,
}

/// All modules that the product is built of, by their paths.
pub struct Modules(BTreeMap<Path, Module>);

impl Modules {
    /// `read` gives the text of a file of `src`, if there is one.
    pub fn parse(read: &dyn Fn(&str) -> Option<String>) -> Modules {
        let mut modules = Modules(BTreeMap::new());
        modules.add(Path::new(), "lib.rs", read);
        modules.add(vec!["bin".to_owned()], "bin/popug-cli.rs", read);
        modules.resolve();
        modules
    }

    pub fn has(&self, path: &[String]) -> bool {
        self.0.contains_key(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Module)> {
        self.0.iter()
    }

    fn add(&mut self, path: Path, file: &str, read: &dyn Fn(&str) -> Option<String>) {
        let text = read(file).unwrap_or_else(|| panic!("src/{file} is declared and missing"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("src/{file}: {error}"));
        let mut seen = Seen::default();
        seen.visit_file(&parsed);
        for (child, named) in std::mem::take(&mut seen.children) {
            let file = child_file(&path, file, &child, named.as_deref(), read);
            let child = [path.clone(), vec![child]].concat();
            self.add(child, &file, read);
        }
        let module = Module {
            file: file.to_owned(),
            paths: seen.paths,
            foreign: BTreeSet::new(),
            methods: seen.methods,
            declared: parsed.items.iter().filter_map(declared).collect(),
            names: seen.names,
            globs: seen.globs,
        };
        self.0.insert(path, module);
    }

    /// Sorts out which of the paths that begin with a bare name begin in this crate.
    fn resolve(&mut self) {
        let mut resolved = BTreeMap::new();
        for (scope, module) in &self.0 {
            let (mut own, mut foreign) = (BTreeSet::new(), BTreeSet::new());
            for path in &module.paths {
                match self.rooted(scope, path) {
                    Some(path) => own.insert(path),
                    None => foreign.insert(path.iter().take(2).cloned().collect()),
                };
            }
            resolved.insert(scope.clone(), (own, foreign));
        }
        for (scope, found) in resolved {
            let module = self.0.get_mut(&scope).expect("it was there");
            (module.paths, module.foreign) = found;
        }
    }

    /// The path from the root, of one that is written in `scope`.
    fn rooted(&self, scope: &[String], path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" | "popug_cli" => Some(rest.to_vec()),
            "self" => Some([scope, rest].concat()),
            "super" => {
                let (_, above) = scope.split_last()?;
                let above: Vec<_> = above.to_vec();
                match rest.first().map(String::as_str) {
                    Some("super") => self.rooted(&above, rest),
                    _ => Some([&above[..], rest].concat()),
                }
            }
            name => {
                let child = [scope, std::slice::from_ref(first)].concat();
                if self.0.contains_key(&child) {
                    return Some([scope, path].concat());
                }
                let used = self.0.get(scope)?.names.get(name)?;
                // `use std::fs` gives `fs` a meaning that is not of this crate.
                let begins_here = ["crate", "self", "super", "popug_cli"];
                let is_own = begins_here.contains(&used.first()?.as_str())
                    || self.0.contains_key(&[scope, &used[..1]].concat());
                let used = match is_own {
                    true => self.rooted(scope, used)?,
                    false => return None,
                };
                Some([used, rest.to_vec()].concat())
            }
        }
    }

    /// The module in whose file stands what `path` names; `pub use` is followed.
    pub fn home(&self, path: &[String]) -> Path {
        self.home_within(path, 8)
    }

    fn home_within(&self, path: &[String], steps: usize) -> Path {
        let mut at = Path::new();
        for (index, name) in path.iter().enumerate() {
            let child = [at.clone(), vec![name.clone()]].concat();
            if self.0.contains_key(&child) {
                at = child;
                continue;
            }
            let Some(module) = self.0.get(&at) else { break };
            // A glob gives a name no other meaning.
            if module.declared.contains(name) {
                break;
            }
            let rest = &path[index + 1..];
            let named = module.names.get(name).cloned();
            let targets = named.into_iter().chain(
                module
                    .globs
                    .iter()
                    .map(|glob| [glob.clone(), vec![name.clone()]].concat()),
            );
            for target in targets.filter(|_| steps > 0) {
                let Some(target) = self.rooted(&at, &target) else {
                    continue;
                };
                let target = [target, rest.to_vec()].concat();
                let home = self.home_within(&target, steps - 1);
                if home != at {
                    return home;
                }
            }
            break;
        }
        at
    }

    /// Which modules name something that stands in which other file; not a module and those that
    /// it contains, at whatever depth.
    pub fn uses(&self) -> BTreeMap<Path, BTreeSet<Path>> {
        let uses = self.0.iter().map(|(path, module)| {
            let homes = module.paths.iter().map(|named| self.home(named));
            let others = homes.filter(|home| !home.starts_with(path) && !path.starts_with(home));
            (path.clone(), others.collect())
        });
        uses.collect()
    }

    /// The files that lead back to themselves, each with all those it goes round with.
    pub fn circles(&self) -> BTreeSet<BTreeSet<Path>> {
        let uses = self.uses();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> = uses
            .keys()
            .map(|from| {
                let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
                while let Some(next) = waiting.pop() {
                    waiting.extend(uses[next].iter().filter(|used| seen.insert(*used)));
                }
                (from, seen)
            })
            .collect();
        let round = |from: &Path| -> BTreeSet<Path> {
            let back = reached[from]
                .iter()
                .filter(|to| reached[**to].contains(from));
            back.map(|to| (*to).clone()).collect()
        };
        let circles = uses.keys().map(round);
        circles.filter(|circle| circle.len() > 1).collect()
    }
}

/// The file of a module that `parent` declares, as the compiler looks for it.
fn child_file(
    parent: &[String],
    parent_file: &str,
    child: &str,
    named: Option<&str>,
    read: &dyn Fn(&str) -> Option<String>,
) -> String {
    let directory = parent_file.rsplit_once('/').map_or("", |(above, _)| above);
    if let Some(named) = named {
        return join(directory, named);
    }
    let directory = match parent_file.ends_with("mod.rs") || parent_file.ends_with("lib.rs") {
        true => directory.to_owned(),
        false => join(directory, parent.last().map_or("", String::as_str)),
    };
    let file = join(&directory, &format!("{child}.rs"));
    match read(&file).is_some() {
        true => file,
        false => join(&directory, &format!("{child}/mod.rs")),
    }
}

fn join(directory: &str, name: &str) -> String {
    match directory.is_empty() {
        true => name.to_owned(),
        false => format!("{directory}/{name}"),
    }
}

/// The contents of one file.
#[derive(Default)]
struct Seen {
    /// How many modules inside this file we are in.
    depth: usize,
    paths: BTreeSet<Path>,
    methods: BTreeSet<String>,
    names: BTreeMap<String, Path>,
    globs: Vec<Path>,
    children: Vec<(String, Option<String>)>,
}

impl Seen {
    fn add(&mut self, path: Path) {
        // From inside a module of this file, one step up is this file.
        let ups = path.iter().take_while(|name| *name == "super").count();
        let inside = ups.min(self.depth);
        let path = match (inside, ups) {
            (0, _) => path,
            (inside, ups) if inside == ups => {
                [vec!["self".to_owned()], path[inside..].to_vec()].concat()
            }
            (inside, _) => path[inside..].to_vec(),
        };
        self.paths.insert(path);
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                let before = [before, &[path.ident.to_string()]].concat();
                self.tree(&before, &path.tree);
            }
            syn::UseTree::Name(name) => self.import(before, &name.ident, &name.ident),
            syn::UseTree::Rename(name) => self.import(before, &name.ident, &name.rename),
            syn::UseTree::Glob(_) => {
                self.globs.push(before.to_vec());
                self.add(before.to_vec());
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree);
                }
            }
        }
    }

    fn import(&mut self, before: &[String], name: &syn::Ident, known_as: &syn::Ident) {
        let (path, known_as) = match name == "self" {
            true => {
                let last = before.last().cloned().unwrap_or_default();
                let known_as = match known_as == "self" {
                    true => last,
                    false => known_as.to_string(),
                };
                (before.to_vec(), known_as)
            }
            false => ([before, &[name.to_string()]].concat(), known_as.to_string()),
        };
        if self.depth == 0 {
            self.names.insert(known_as, path.clone());
        }
        self.add(path);
    }

    /// Paths in the tokens of a macro: names that two colons join. A name behind a dot is a method.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path = Path::new();
        let (mut colons, mut is_behind_dot) = (0, false);
        for token in tokens {
            let was_behind_dot = std::mem::take(&mut is_behind_dot);
            match token {
                proc_macro2::TokenTree::Ident(name) if was_behind_dot => {
                    self.methods.insert(name.to_string());
                }
                proc_macro2::TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add_longer_than_one(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                proc_macro2::TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                proc_macro2::TokenTree::Group(group) => {
                    self.add_longer_than_one(std::mem::take(&mut path));
                    colons = 0;
                    self.tokens(group.stream());
                }
                other => {
                    is_behind_dot = other.to_string() == ".";
                    self.add_longer_than_one(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.add_longer_than_one(path);
    }

    fn add_longer_than_one(&mut self, path: Path) {
        if path.len() > 1 {
            self.add(path);
        }
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(item) => &item.attrs[..],
            syn::ImplItem::Const(item) => &item.attrs[..],
            _ => &[],
        };
        if !is_for_tests(attributes) {
            syn::visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        match &item.content {
            None => {
                let named = item.attrs.iter().find_map(path_attribute);
                self.children.push((item.ident.to_string(), named));
            }
            Some((_, items)) => {
                self.depth += 1;
                items.iter().for_each(|item| self.visit_item(item));
                self.depth -= 1;
            }
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        syn::visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.tokens(list.tokens.clone());
    }
}

fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(named) = &attribute.meta else {
        return None;
    };
    match &named.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) if named.path.is_ident("path") => Some(text.value()),
        _ => None,
    }
}

/// Whether one of the attributes is `#[cfg(test)]`.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// The name of an item that other files can name.
fn declared(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
