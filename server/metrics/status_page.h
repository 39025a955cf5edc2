// The page at / of the metrics listener, for people: server/metrics/status_page.html as it was when this was built.
//
// Threads: any.
#pragma once

#include <string_view>

namespace ntsd {

std::string_view StatusPage();

}  // namespace ntsd
