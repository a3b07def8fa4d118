"""Two trees side by side, and nothing left of them."""

import pytest

from bench.revisions import NoRevision, Repository


@pytest.fixture
def project(tmp_path, git):
    """A repository of two commits; the package says which."""
    root = tmp_path / "project"
    package = root / "rtspkit"
    package.mkdir(parents=True)
    git(root, "init", "-q")
    for number in (1, 2):
        (package / "__init__.py").write_text(f"number = {number}\n")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", str(number))
    return root


def content(folder):
    return (folder / "rtspkit" / "__init__.py").read_text()


def test_both_packages_are_there_each_alone_in_its_folder(project):
    repository = Repository(project)
    (project / "rtspkit" / "__init__.py").write_text("number = 3\n")
    with repository.trees(repository.resolve("HEAD~1")) as (before, now):
        assert content(before) == "number = 1\n"
        assert content(now) == "number = 3\n"
        assert [path.name for path in before.iterdir()] == ["rtspkit"]
        assert [path.name for path in now.iterdir()] == ["rtspkit"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_nothing_is_left_whatever_happens(project, git, error):
    repository = Repository(project)
    place = None

    def use():
        nonlocal place
        with repository.trees(repository.resolve("HEAD")) as (before, _):
            place = before.parent
            raise error

    with pytest.raises(error):
        use()
    assert not place.exists()
    assert git(project, "worktree", "list").count("\n") == 1
    assert git(project, "status", "--porcelain") == ""
    assert content(project) == "number = 2\n"


def test_a_tree_in_use_does_not_move_the_branch(project, git):
    repository = Repository(project)
    before = git(project, "rev-parse", "HEAD"), git(project, "branch")
    with repository.trees(repository.resolve("HEAD~1")):
        pass
    assert (git(project, "rev-parse", "HEAD"), git(project, "branch")) == before


def test_the_working_tree_is_the_same_until_something_is_changed_or_added(project):
    repository = Repository(project)
    head = repository.resolve("HEAD")
    assert repository.same_as_working_tree(head)
    assert not repository.same_as_working_tree(repository.resolve("HEAD~1"))
    (project / "notes").write_text("outside of the package\n")
    assert repository.same_as_working_tree(head)
    (project / "rtspkit" / "new.py").write_text("")
    assert not repository.same_as_working_tree(head)


def test_a_shallow_clone_says_what_it_lacks(project, tmp_path, git):
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project}", "shallow")
    repository = Repository(tmp_path / "shallow")
    with repository.trees(repository.resolve("HEAD")) as (before, _):
        assert content(before) == "number = 2\n"
    with pytest.raises(NoRevision, match="shallow; git fetch --unshallow"):
        repository.resolve("HEAD~1")


@pytest.mark.parametrize("name", ["nowhere", "--all", "", "HEAD:rtspkit"])
def test_what_names_no_commit_is_refused(project, name):
    with pytest.raises(NoRevision):
        Repository(project).resolve(name)


def test_a_commit_without_the_package_is_told_from_one_with(project, git):
    git(project, "rm", "-q", "-r", "rtspkit")
    git(project, "commit", "-q", "-m", "gone")
    repository = Repository(project)
    assert not repository.has_package(repository.resolve("HEAD"))
    assert repository.has_package(repository.resolve("HEAD~1"))
