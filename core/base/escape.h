// Text inside HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace ntsd {

// `text` for the content of an element or a quoted attribute. Control characters become spaces: XML 1.0 has no place
// for them, not even escaped.
std::string EscapeMarkup(std::string_view text);

}  // namespace ntsd
