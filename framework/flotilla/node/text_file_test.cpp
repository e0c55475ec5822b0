#include <flotilla/node/text_file.hpp>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace flotilla::text_file_test {
namespace {

/// A path of this test's own, free at first and gone at the end.
class ScratchPath {
public:
    ScratchPath()
        : path_((std::filesystem::temp_directory_path() / ("flotilla_text_file_" + std::to_string(::getpid())))
                    .string()) {
        std::filesystem::remove_all(path_);
    }
    ScratchPath(const ScratchPath&) = delete;
    ScratchPath& operator=(const ScratchPath&) = delete;
    ~ScratchPath() { std::filesystem::remove_all(path_); }
    const std::string& text() const { return path_; }

private:
    std::string path_;
};

// Goal: every byte comes back, also NUL and more than a block of them.
TEST(TextFile, ReadGivesEveryByte) {
    const ScratchPath path;
    std::string content(40'000, 'x');
    content[17] = '\0';
    content.back() = '\n';
    std::ofstream(path.text(), std::ios::binary) << content;
    EXPECT_EQ(read_text_file(path.text()).value(), content);
}

// Goal: what cannot be read says which file and why.
TEST(TextFile, UnreadableFilesSayWhy) {
    const ScratchPath path;
    const auto missing = read_text_file(path.text());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), Kind::not_found);
    EXPECT_EQ(missing.error().message(), path.text() + ": cannot be read: No such file or directory");

    std::filesystem::create_directory(path.text());
    const auto folder = read_text_file(path.text());
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().kind(), Kind::unavailable);
    EXPECT_EQ(folder.error().message(), path.text() + ": cannot be read: Is a directory");
}

// Goal: a file is replaced as a whole, with the permissions that were asked for; what cannot be is told, and leaves
// nothing behind.
TEST(TextFile, ReplaceLeavesOneOrTheOther) {
    const ScratchPath path;
    ASSERT_TRUE(replace_text_file(path.text(), "one"));
    ASSERT_TRUE(replace_text_file(path.text(), "two\n", 0600));
    EXPECT_EQ(read_text_file(path.text()).value(), "two\n");
    EXPECT_EQ(std::filesystem::status(path.text()).permissions(), std::filesystem::perms(0600));

    std::filesystem::remove(path.text());
    std::filesystem::create_directory(path.text());
    const auto folder = replace_text_file(path.text(), "three");
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().message(), "cannot write " + path.text() + ": Is a directory");
    EXPECT_FALSE(std::filesystem::exists(path.text() + "." + std::to_string(::getpid())));
}

} // namespace
} // namespace flotilla::text_file_test
