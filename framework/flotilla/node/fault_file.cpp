#include <flotilla/node/fault_file.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <flotilla/base/json.hpp>
#include <flotilla/node/text_file.hpp>

namespace flotilla {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(100);

Result<void> check_owner(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return {}; // reading says why
    const bool ours = found.st_uid == ::geteuid() || found.st_uid == 0;
    if (ours && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
    return Error(Kind::forbidden, path + ": others than its owner may write it; no fault is taken from there");
}

} // namespace

Result<FaultPlan> read_fault_plan(const std::string& path) {
    if (auto checked = check_owner(path); !checked) return std::move(checked.error());
    const auto text = read_text_file(path);
    if (!text && text.error().kind() == Kind::not_found) return FaultPlan();
    if (!text) return text.error();
    auto plan = json::parse<FaultPlan>(*text);
    if (!plan) return std::move(plan.error()).with_context(path);
    if (plan->slow_ms < 0 || plan->fail_percent < 0 || plan->fail_percent > 100)
        return Error(Kind::invalid, path + ": expected slowMs from 0 and failPercent within 0..100");
    return plan;
}

Result<void> write_fault_plan(const std::string& path, const FaultPlan& plan) {
    if (plan == FaultPlan()) {
        std::error_code failed;
        std::filesystem::remove(path, failed);
        if (!failed) return {};
        return Error(Kind::unavailable, "cannot remove " + path + ": " + failed.message());
    }
    constexpr unsigned kOwnerOnly = 0600;
    return replace_text_file(path, json::write(plan) + '\n', kOwnerOnly);
}

FaultFile::FaultFile(std::string path, Logger log, Changed changed)
    : path_(std::move(path)), log_(std::move(log)), changed_(std::move(changed)) {
    log_.warning("this instance takes faults from a file (./flotilla chaos)", {{"file", path_}});
}

task<void> FaultFile::run(Context& context) {
    do
        look();
    while (co_await sleep_for(context, kLookEvery));
}

void FaultFile::look() {
    auto read = read_fault_plan(path_);
    const auto mistake = read ? std::string() : read.error().message();
    if (!mistake.empty() && mistake != mistake_) log_.error("no faults are taken", {{"error", mistake}});
    mistake_ = mistake;
    auto plan = std::move(read).value_or(FaultPlan());
    if (plan == plan_) return;
    plan_ = std::move(plan);
    log_.warning("the faults of this instance have changed",
                 {{"slow_ms", plan_.slow_ms}, {"fail_percent", plan_.fail_percent}, {"cut_off", plan_.cut_off.size()}});
    changed_(plan_);
}

} // namespace flotilla
