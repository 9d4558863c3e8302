// What the readers of labelled data share: fields of records, held-out shares, passes per epoch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "tasks/bad_rows.h"

namespace llmctl {

/// One record and where it stands ("FILE:LINE"; of an array "FILE: element N"), for errors.
struct Record {
  const std::string& place;
  const Json& value;
  std::uint64_t number = 0;  ///< line or element, from 1

  /// Throws kData "PLACE: message".
  [[noreturn]] void fail(const std::string& message) const;
  bool has(const std::string& field) const;
  /// The field's text: a string as it is, numbers and booleans as JSON spells them. kData when it
  /// is absent, null or a list or object.
  std::string text(const std::string& field) const;
  /// The names of its fields, for errors: "a, b, c".
  std::string fields() const;
};

/// Reads every record of a file (io/text_source.h). Rows that are no record, and those of which
/// `record` throws a kData error, are noted in `bad`.
void for_each_labelled_record(const std::filesystem::path& file,
                              const std::function<void(const Record&)>& record, BadRows& bad);
/// The same for files of which every row counts: the first bad one is thrown.
void for_each_labelled_record(const std::filesystem::path& file,
                              const std::function<void(const Record&)>& record);

/// `configured` if it is set, else the first of `candidates` that the record has, in whatever case,
/// else nothing.
std::optional<std::string> find_field(const Record& record,
                                      const std::optional<std::string>& configured,
                                      const std::vector<std::string>& candidates);

/// `configured` if the record has it: an input to answer has its text where the records learnt from
/// had it, or under one of the usual names.
std::optional<std::string> field_of_input(const Record& record,
                                          const std::optional<std::string>& configured);

/// How a field that was not found is named: "; name it in task.KEY …", behind an error's facts.
std::string field_remedy(const std::string& key);

/// Tells which fields of a file's records are `used` when it has others, which are named, too; for
/// the first record of a file.
void tell_unused_fields(const std::filesystem::path& file, const Record& record,
                        const std::vector<std::string>& used);

/// What a run keeps of its records for validation: a share by hash of their content, the last share
/// of them, or the same share of each class.
struct HeldOutShare {
  double hash = 0, tail = 0, stratified = 0;
  explicit operator bool() const { return hash > 0 || tail > 0 || stratified > 0; }
};

/// Which of the units (documents, records) are held out: at least one of a share above 0, never
/// all. kConfig for a stratified share, which is of units with classes.
std::vector<bool> held_out(const std::vector<std::string_view>& units, HeldOutShare share);

/// The same with equal shares of each group: of a group of two and more at least one unit and never
/// all, those with the lowest hashes; nothing of a unit that is alone in its group. Equal units are
/// on one side, in whatever groups they are; those with more copies than the share has room for are
/// learnt from, while there are others. So a share may be smaller or larger, or be nothing where
/// there is no other way to leave some of each group.
std::vector<bool> held_out_of_groups(const std::vector<std::string_view>& units,
                                     const std::vector<std::string>& groups, double share);

/// What records are told apart by: the parts of what a model reads of one, and of what it learns.
std::uint64_t record_key(const std::vector<std::string_view>& parts);

/// Warns of held-out records (texts, questions: `what`) that are also learnt from.
void warn_of_learnt(const std::string& task, const std::string& what,
                    const std::vector<std::uint64_t>& held_out,
                    const std::vector<std::uint64_t>& learnt);

/// The elements whose flag is `value`, in their order.
template <class T>
std::vector<T> flagged(const std::vector<T>& elements, const std::vector<bool>& flags, bool value) {
  std::vector<T> result;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (flags[i] == value) result.push_back(elements[i]);
  }
  return result;
}

/// Which units a share of them is, by hash: the larger share holds the smaller one. Of each group
/// (empty: all are one) about the same share, one unit at least where the share has room for it;
/// always one unit.
std::vector<bool> drawn_share(const std::vector<std::string_view>& units,
                              const std::vector<std::string>& groups, double share);

/// How often a unit is visited per epoch when its file weighs `weight`: the whole part always, the
/// fraction by hash.
std::int64_t passes(std::string_view unit, double weight);

}  // namespace llmctl
