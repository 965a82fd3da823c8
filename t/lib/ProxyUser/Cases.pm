package ProxyUser::Cases;

# A table of requests and what they must come to, for scripts; blocks of
# Test::Nginx have their own section "cases" of the same form.
#
#   check_cases($nginx, 'cold', [ 'reads', 'GET /a', $token, 200, 'ok',
#                                 'X-Name: value', '!X-Absent',
#                                 qr/of the body/ ], ...);
#
# The credential is a token for Authorization, undef, or a hash of headers.
# The reason is read from X-Reason, which the configuration adds by
#     add_header X-Reason $proxy_user_reason always;
# Something other than an nginx with "ask" may be given: a client of HTTP/2.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(check_cases);


sub check_cases {
    my ($client, $name, @case) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    check($client, "$name, ", $_) for @case;
}


sub check {
    my ($client, $name, $case) = @_;

    my ($title, $request, $credential, $status, $reason, @more) = @$case;
    my ($method, $uri) = split / /, $request, 2;
    my @header = ref $credential ? map { [$_ => $credential->{$_}] }
                                       sort keys %$credential
        : defined $credential ? [Authorization => "Bearer $credential"] : ();

    my $answer = $client->ask($method, $uri, headers => \@header)
        // { status => 'closed', headers => {}, body => '' };
    my $got = "$answer->{status} " . ($answer->{headers}{'x-reason'} // '');
    my $wanted = "$status $reason";

    for (@more) {
        if (ref $_) {
            my $like = $answer->{body} =~ $_;
            $got .= "\nbody: " . ($like ? $_ : $answer->{body});
            $wanted .= "\nbody: $_";
            next;
        }

        my ($absent, $field, $value) = /^(!?)([^:]+)(?:: ?(.*))?$/;
        my $found = $answer->{headers}{lc $field};
        $got .= "\n$field: " . ($found // '(none)');
        $wanted .= "\n$field: " . ($absent ? '(none)' : $value);
    }

    local $Test::Builder::Level = $Test::Builder::Level + 2;
    Test::More::is($got, $wanted, "$name$title");
}


1;
