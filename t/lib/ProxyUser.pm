package ProxyUser;

# What the tests of this directory share. A file of Test::Nginx blocks begins
#
#     use lib 't/lib';
#     use ProxyUser qw(:blocks);          # before Test::Nginx::Socket
#     use Test::Nginx::Socket;
#
#     repeat_each(2);                     # the second pass meets warm caches
#     plan tests => repeat_each() * 3 * 3;
#     run_tests();
#
#     __DATA__
#
#     === TEST 1: a reader may read and may not write
#     --- config
#         location /a {
#             proxy_user on;
#             proxy_user_role reader GET;
#             proxy_pass $TEST_NGINX_BACKEND;
#         }
#     --- cases eval
#     my $reader = main::token(claims => { roles => ['reader'] });
#     [ [ 'reads', 'GET /a', $reader, 200, 'ok' ],
#       [ 'writes', 'POST /a', $reader, 403, 'method_not_permitted' ],
#       [ 'nobody', 'GET /a', undef, 401, 'no_credential' ] ]
#
# and a script of its own kind
#
#     use lib 't/lib';
#     use ProxyUser;
#     use Test::More tests => 2;
#
#     redis_start();
#     seed_user(sub => 'alice', roles => 'admin', state => 'suspended');
#     my $nginx = start_nginx(
#         http => 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;',
#         server => 'proxy_user on;');
#     is $nginx->get('/', token())->{status}, 403, 'alice is suspended';
#     ok !trouble($nginx->log), 'and nothing alarming was logged';
#
# Both get keys (t/data, written as $TEST_NGINX_KEYS/jwks.json), a free port,
# a directory of their own ($ProxyUser::Nginx::tmp) and an end that leaves no
# process and no file. Run them from the root of the repository: prove t/x.t.
#
# Environment: PROXY_USER_MODULE is the module's file, empty for an nginx
# that has it built in; TEST_NGINX_BINARY that nginx. More in
# ProxyUser::Token     keys, JWK Sets, tokens good and bad
# ProxyUser::Redis     a real redis-server, its client, users in it
# ProxyUser::FakeRedis the same server, misbehaving
# ProxyUser::Issuer    a web server that answers well or badly, and counts
# ProxyUser::Nginx     nginx without Test::Nginx, a client, logs, audit lines
# ProxyUser::Cases     a table of requests, for scripts
# ProxyUser::Backend   a backend that says what it was sent
# ProxyUser::HTTP2     a client of HTTP/2, also frame by frame
#
# What a block gets unless it says otherwise:
#   main_config   load_module in front
#   http_config   a zone, the issuer "idp" (its roles claim may hold reader,
#                 writer, admin) and a backend that answers "method uri", at
#                 $TEST_NGINX_BACKEND, in front
#                 (more ports: $TEST_NGINX_FREE_PORT_1 to _3)
#   no_error_log  one check: no [alert], [crit], [emerg], sanitizer report;
#                 left out for must_die and when error_log expects one
#   cases         a list of [ title, request, token or undef or { Header =>
#                 value }, status, reason, lines of response_headers ... ].
#                 It becomes request, more_headers, error_code and
#                 response_headers; title and reason come back in X-Case, by
#                 an add_header in http (a location with add_header lines of
#                 its own needs $TEST_NGINX_X_CASE among them). Three checks a
#                 case (status, X-Case, the log), one for each further line

use strict;
use warnings;

use parent qw(Exporter);

use Cwd ();
use File::Basename qw(basename);
use File::Path qw(make_path remove_tree);
use File::Temp ();

use ProxyUser::Backend;
use ProxyUser::Cases;
use ProxyUser::FakeRedis;
use ProxyUser::HTTP2;
use ProxyUser::Issuer;
use ProxyUser::Nginx;
use ProxyUser::Redis;
use ProxyUser::Token;

our @EXPORT = (qw(trouble), @ProxyUser::Backend::EXPORT,
               @ProxyUser::Cases::EXPORT, @ProxyUser::FakeRedis::EXPORT,
               @ProxyUser::HTTP2::EXPORT, @ProxyUser::Issuer::EXPORT,
               @ProxyUser::Nginx::EXPORT,
               @ProxyUser::Redis::EXPORT, @ProxyUser::Token::EXPORT);

# What no error log may have.
our $trouble = qr/\[(?:alert|crit|emerg)\]|Sanitizer|\bruntime\ error:/x;

my $owner = $$;
my ($tmp, $reports, %known);

# A sanitizer may have its say at nginx's end, after the last look at the
# error log. Its reports go where the environment says, else to us; under the
# test's name, since others that run at the same time have theirs. Test::Nginx
# puts a block's number behind log_path, which must be the last for that.
sub sanitizer {
    my ($name) = @_;

    my @option = split /[:,\s]+/, $ENV{ASAN_OPTIONS} // '';
    my ($path) = map { /^log_path=(.*)/ } @option;

    $reports = defined $path ? "$path.$name" : "$tmp/sanitizer";
    %known = map { $_ => 1 } glob "$reports*";
    $ENV{ASAN_OPTIONS} = join ',', grep({ !/^log_path=/ } @option),
                                   "log_path=$reports";
}


BEGIN {
    my $name = basename($0, '.t');

    my $module = $ENV{PROXY_USER_MODULE}
        // 'build/ngx_proxy_user_module.so';
    die "$module is missing: run make first\n"
        if $module ne '' && !-f $module;
    $ENV{PROXY_USER_MODULE} = $module eq '' ? '' : Cwd::abs_path($module);

    $tmp = File::Temp->newdir('proxy-user-XXXXXX', TMPDIR => 1);
    $ProxyUser::Nginx::tmp = "$tmp";

    sanitizer($name) if $module eq '';

    $ENV{TEST_NGINX_PORT} ||= free_port();
    $ENV{TEST_NGINX_SLEEP} ||= 0.004;
    $ENV{TEST_NGINX_SERVROOT} ||= Cwd::getcwd() . "/t/servroot/$name";
    $ENV{TEST_NGINX_KEYS} = "$tmp";
    $ENV{TEST_NGINX_TMP} = "$tmp";
    $ENV{"TEST_NGINX_FREE_PORT_$_"} = free_port() for 1 .. 3;
    $ENV{TEST_NGINX_BACKEND_PORT} = free_port();
    $ENV{TEST_NGINX_BACKEND} =
        "http://127.0.0.1:$ENV{TEST_NGINX_BACKEND_PORT}";
    $ENV{TEST_NGINX_X_CASE} =
        'add_header X-Case "$http_x_title: <$proxy_user_reason>" always;';

    write_file('jwks.json', jwks(map { jwk($_) }
        qw(rsa1 rsa2 ec256 ec256b ec384 ec521 ed25519)));

    $SIG{INT} = $SIG{TERM} = sub { exit 1 };
}


sub import {
    my ($class, @word) = @_;

    if (grep { $_ eq ':blocks' } @word) {
        make_path($ENV{TEST_NGINX_SERVROOT});
        require Test::Nginx::Util;
        Test::Nginx::Util::add_block_preprocessor(\&prepare);
        Test::Nginx::Util::log_level($ENV{TEST_NGINX_LOG_LEVEL} || 'info');
    }

    $class->export_to_level(1, $class,
                            grep { $_ ne ':blocks' } @word);
}


# Is there anything in a log that nobody expects?
sub trouble { $_[0] =~ $trouble }


sub prepare {
    my ($block) = @_;

    expand_cases($block) if defined $block->cases;

    my $main = $block->main_config // '';
    $block->set_value(main_config =>
                      ProxyUser::Nginx::load_module() . $main);

    my $http = $block->http_config // '';
    $http = "$ENV{TEST_NGINX_X_CASE}\n$http" if defined $block->cases;
    $block->set_value(http_config => standard_http($http));

    my $expected = join ' ', map { ref $_ eq 'ARRAY' ? @$_ : $_ }
        grep { defined } $block->error_log;
    return if defined $block->must_die || defined $block->reload_fails
        || $expected =~ /alert|crit|emerg/;

    my $none = $block->no_error_log;
    my @none = !defined $none ? () : ref $none eq 'ARRAY' ? @$none
        : ref $none ? $none : split /\n+/, $none;
    $block->set_value(no_error_log => [@none, $trouble]);
}


sub expand_cases {
    my ($block) = @_;

    my (@request, @header, @status, @expected);

    # Test::Base turns a die in an eval section into its value.
    die $block->name, ': ', $block->cases unless ref $block->cases;

    for (@{ $block->cases }) {
        my ($title, $request, $credential, $status, $reason, @more) = @$_;
        my $header = !defined $credential ? {}
            : ref $credential ? $credential
                              : { Authorization => "Bearer $credential" };

        push @request, $request;
        push @status, $status;
        push @header, join "\n", "X-Title: $title",
            map { "$_: $header->{$_}" } sort keys %$header;
        push @expected, join "\n", "X-Case: $title: <$reason>", @more;
    }

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@header);
    $block->set_value(error_code => \@status);
    $block->set_value(response_headers => \@expected);
}


END {
    if ($$ == $owner) {
        my $status = $?;

        my @late = ProxyUser::Nginx::stop_all();
        ProxyUser::Backend::stop_all();
        ProxyUser::FakeRedis::stop_all();
        ProxyUser::Issuer::stop_all();
        ProxyUser::Redis::stop_all();
        push @late, map { read_file($_) } grep { !$known{$_} }
            glob "$reports*" if $reports;

        s/^/# /mg, print STDERR for @late;
        $status ||= 1 if @late;

        # A log is worth keeping when something failed.
        remove_tree($ENV{TEST_NGINX_SERVROOT})
            if $status == 0 && $ENV{TEST_NGINX_SERVROOT} =~ m{/t/servroot/};

        $? = $status;
    }
}


1;
